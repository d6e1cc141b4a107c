"""Which strategies of transfer are possible with the other parameters, and what they cost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graft.common.vocabulary import WITHOUT_LAMBDA
from graft.transfer.settings import INNER_FOLDS, count_networks

if TYPE_CHECKING:
    from graft.config.parameters import Parameters

WITH_HEAD = ("source", "wise-ft")  # strategies that predict before training
FOLDS_KEY = "cross_validation.strategies"


def check_strategies(parameters: "Parameters") -> None:
    """Raise ValueError if a strategy needs a head that the network would not have."""
    named: dict[str, Sequence[str]] = {
        "finetune.strategy": [parameters.finetune.strategy],
        "learning_curve.arms": parameters.learning_curve.arms,
        FOLDS_KEY: parameters.cross_validation.strategies,
    }
    for key, strategies in named.items():
        for strategy in WITH_HEAD:
            if strategy in strategies and parameters.finetune.head == "new":
                raise ValueError(
                    f"{key}: got {strategy!r} with finetune.head 'new', expected the head 'auto' "
                    "or 'pretrained', because this strategy predicts before training"
                )
        if "source" in strategies:
            _check_sources(parameters, key)


def networks_of_draw(parameters: "Parameters") -> int:
    """How many networks one draw of one share of the learning curve trains, in all arms."""
    arms = {"scratch", parameters.finetune.strategy, *parameters.learning_curve.arms}
    return sum(count_networks(arm, _validates(parameters)) for arm in arms)


def networks_of_fold(parameters: "Parameters") -> int:
    """How many networks one fold of the cross-validation trains: scratch and all candidates."""
    section = parameters.cross_validation
    sources = 1 + len(parameters.sources.candidates)
    weights = max(1, len(section.lambdas))
    validates = _validates(parameters)
    networks = candidates = 0
    for strategy in section.strategies or [parameters.finetune.strategy]:
        count = sources * (1 if strategy in WITHOUT_LAMBDA else weights)
        candidates += count
        networks += count * count_networks(strategy, validates)
    chooses_by_inner_folds = candidates > 1 and not validates
    return 1 + networks * (1 + INNER_FOLDS if chooses_by_inner_folds else 1)


def _check_sources(parameters: "Parameters", key: str) -> None:
    """Raise ValueError unless every source of a section predicts the classes of the target."""
    start = parameters.pretrain.source
    if start != parameters.source:
        raise ValueError(
            f"{key}: got 'source' with pretrain.source {start!r}, whose head has other classes; "
            "expected other strategies"
        )
    candidates = parameters.sources.candidates if key == FOLDS_KEY else []
    target = parameters.domains[parameters.target]
    for name in (parameters.source, *candidates):
        source = parameters.domains[name]
        if (source.classes, source.covariates) != (target.classes, target.covariates):
            raise ValueError(
                f"{key}: got 'source', but the classes or covariates of {name!r} are not those "
                f"of the target {parameters.target!r}; expected other strategies"
            )


def _validates(parameters: "Parameters") -> bool:
    """Whether patients of the target are held back for validation."""
    return parameters.domains[parameters.target].split.validation > 0
