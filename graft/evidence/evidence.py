"""Everything that the report shows, loaded once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from graft.common.files import (
    FILES,
    REMEDY,
    InputError,
    check_digest,
    check_files,
    read_sealed,
)
from graft.common.vocabulary import TESTS
from graft.statistics.sentences import VALIDATION

Block = Mapping[str, Any]  # an object of a JSON document

CURVES = ("roc", "precision_recall", "calibration", "decision")
OF_BOTH_CLASSES = ("roc", "precision_recall")  # the curves that need cases with and without disease
REQUIRED_KEYS = (
    "models",
    "baselines",
    "transfer_gain",
    "verdict",
    "verdict_from",
    "chosen",
    "source",
    "target",
    "validated",
    "bootstrap",
    "margin",
    "ablation",
    "subgroups",
    "checks",
    "hashes",
    "sources",
    "learning_curve",
    "cross_validation",
    "boosting_alphas",
    "ensembles",
    "conformal",
    "refusals",
)  # of metrics.json; a block that was not requested is null
PREDICTION_COLUMNS = {"sample", "part", "label", "model", "predicted"}
CURVE_COLUMNS = {"part", "model"}


@dataclass(frozen=True)
class Evidence:
    """The files of one run, and the names that the pipeline gives to what the page mentions."""

    metrics: Block  # metrics.json
    predictions: pd.DataFrame  # one row per case of a test part and model
    curves: Mapping[str, pd.DataFrame]  # the tables of CURVES
    parameters: Block  # all parameters of the run
    card: Block  # card.json of the chosen model
    saliency: Block  # explain/saliency.json
    robustness: Block  # explain/robustness.json
    attacks: Block  # attacks.json
    pictures: Mapping[str, bytes]  # PNG files by their path in `explain`, as maps/<sample>.png
    pictures_folder: str  # where people find these files
    model_folder: str  # where people find the chosen model
    parameters_name: str  # the name of the parameter file
    commands: Mapping[str, str]  # how to compute the blocks "learning_curve", "cross_validation"
    synthetic: bool  # whether the patients are simulated

    @property
    def parts(self) -> tuple[str, ...]:
        """The test parts of the target that have patients."""
        counts = self.metrics["target"]["counts"]
        return tuple(part for part in TESTS if counts[part])

    @property
    def unit(self) -> str:
        """What intervals resample: "patient", or "lesion" if the patients are unknown."""
        return self.metrics["bootstrap"]["unit"]

    @property
    def level(self) -> str:
        """The confidence of the intervals, such as "95 %"."""
        return f"{self.metrics['bootstrap']['confidence'] * 100:g}\N{NO-BREAK SPACE}%"

    @property
    def validation(self) -> str:
        """What thresholds and choices come from, in words."""
        return VALIDATION[self.metrics["validated"]["by"]]

    @property
    def classes(self) -> list[str]:
        """The classes of the target; the last one is the disease."""
        return list(self.parameters["domains"][self.parameters["target"]]["classes"])

    @property
    def chosen(self) -> str:
        """The name of the model that the run chose."""
        return self.metrics["chosen"]["model"]

    @property
    def models(self) -> dict[str, Block]:
        """All models and baselines by name; baselines that do not exist are left out."""
        both = self.metrics["models"] | self.metrics["baselines"]
        return {name: model for name, model in both.items() if model}

    def block(self, name: str) -> Any:
        """A block of metrics.json; None if the run did not compute it."""
        return self.metrics.get(name)

    def cases(self, model: str, part: str) -> pd.DataFrame:
        """The predictions of one model on one part."""
        wanted = (self.predictions["model"] == model) & (self.predictions["part"] == part)
        return self.predictions[wanted]


def load_evidence(
    metrics: Path,
    card: Path,
    parameters: Block,
    *,
    parameters_name: str,
    commands: Mapping[str, str],
    synthetic: bool,
) -> Evidence:
    """Load the files that evaluation and explanation wrote.

    Args:
        metrics: the folder with metrics.json, attacks.json, predictions.csv, plots/ and explain/.
        card: card.json of the chosen model.
        parameters: all parameters of the run, as nested mappings.
        parameters_name: the name of the parameter file, shown as a caption.
        commands: "learning_curve" and "cross_validation" with the command that computes each.
        synthetic: whether the patients are simulated.

    Raises:
        InputError: if a file is missing, cannot be read, was changed after it was written, lacks
            a key, a column or a row, or belongs to another run.
    """
    path = metrics / "metrics.json"
    document = read_sealed(path)
    missing = [key for key in REQUIRED_KEYS if key not in document]
    if missing:
        raise InputError(f"{path}: has no {missing[0]!r}, expected metrics of an evaluation")
    names = {name: f"plots/{name}.csv" for name in CURVES}
    check_files(path, document, ["predictions.csv", *names.values()])
    explain = metrics / "explain"
    saliency = read_sealed(explain / "saliency.json")
    pictures = saliency.get(FILES, {})
    check_files(explain / "saliency.json", saliency, pictures)
    evidence = Evidence(
        metrics=document,
        predictions=_read_table(metrics / "predictions.csv", PREDICTION_COLUMNS),
        curves={key: _read_table(metrics / name, CURVE_COLUMNS) for key, name in names.items()},
        parameters=parameters,
        card=read_sealed(card),
        saliency=saliency,
        robustness=read_sealed(explain / "robustness.json"),
        attacks=read_sealed(metrics / "attacks.json"),
        pictures={name: (explain / name).read_bytes() for name in pictures},
        pictures_folder=(explain / "maps").as_posix(),
        model_folder=card.parent.as_posix(),
        parameters_name=parameters_name,
        commands=commands,
        synthetic=synthetic,
    )
    _check_run(evidence, card, explain)
    _check_attacks(evidence, metrics / "attacks.json")
    _check_cases(evidence, metrics / "predictions.csv")
    for name, file in names.items():
        _check_curve(evidence, name, metrics / file)
    return evidence


def _check_run(evidence: Evidence, card: Path, explain: Path) -> None:
    """Raise InputError if the model, the explanation or the classes are those of another run."""
    chosen = evidence.chosen
    check_digest(
        card, evidence.card["weights_sha256"], evidence.metrics["hashes"]["models"][chosen]
    )
    for name in ("saliency", "robustness"):
        model = getattr(evidence, name)["model"]
        if model != chosen:
            raise InputError(
                f"{explain / name}.json: is about {model}, expected {chosen}, the chosen model; "
                f"{REMEDY}"
            )
    classes = list(evidence.metrics["target"]["counts"]["train"]["by_class"])
    if classes != evidence.classes:
        raise InputError(
            f"{evidence.parameters_name}: has the classes {evidence.classes}, expected {classes}, "
            "which the models were trained on"
        )


def _check_attacks(evidence: Evidence, path: Path) -> None:
    """Raise InputError if a model of another run was attacked."""
    for attack in evidence.attacks["models"]:
        name = attack["model"]
        if attack["weights_sha256"] != evidence.metrics["hashes"]["models"].get(name):
            raise InputError(
                f"{path}: is about other weights of {name}, expected those of metrics.json; "
                f"{REMEDY}"
            )


def _check_cases(evidence: Evidence, path: Path) -> None:
    """Raise InputError unless each model has a prediction of each case of the test parts."""
    for part in evidence.parts:
        expected = evidence.metrics["target"]["counts"][part]["lesions"]
        for model in evidence.models:
            cases = evidence.cases(model, part)
            if len(cases) != expected or not cases["sample"].is_unique:
                raise InputError(
                    f"{path}: has {len(cases)} predictions of {model} on the part {part}, "
                    f"expected one of each of its {expected} lesions; {REMEDY}"
                )


def _check_curve(evidence: Evidence, name: str, path: Path) -> None:
    """Raise InputError unless each model has the curve on each test part that can have one."""
    table = evidence.curves[name]
    for part in evidence.parts:
        is_diseased = evidence.cases(evidence.chosen, part)["label"] == evidence.classes[-1]
        if name in OF_BOTH_CLASSES and is_diseased.nunique() == 1:
            continue
        found = set(table.loc[table["part"] == part, "model"])
        for model in evidence.models:
            if model not in found:
                raise InputError(
                    f"{path}: has no rows of {model} on the part {part}, expected some; {REMEDY}"
                )


def score_of(scores: Block | None, name: str = "auroc") -> Block | None:
    """A score with its interval; None if the part has no cases or the score does not exist."""
    return scores.get(name) if scores else None


def auroc_of_arm(point: Block, arm: str) -> Block | None:
    """The AUROC of an arm, "scratch" or a strategy, at a point of the learning curve."""
    return score_of(point["arms"].get(arm))


def _read_table(path: Path, columns: set[str]) -> pd.DataFrame:
    """Read a CSV file that must have `columns`.

    These columns are read as text whatever their values look like: a class may be called 1 or NA.
    """
    try:
        table = pd.read_csv(
            path, dtype=dict.fromkeys(columns, str), keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    missing = sorted(columns - set(table.columns))
    if missing:
        raise InputError(
            f"{path}: has no column {missing[0]!r}, expected {', '.join(sorted(columns))}"
        )
    return table
