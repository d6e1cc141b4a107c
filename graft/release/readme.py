"""README.md of a model folder: a model card in the format of Hugging Face.

Mitchell et al. (2019), Model Cards for Model Reporting, FAT*. It is made of metrics.json, the card
and what was fitted, so the same run gives the same bytes. It names no patient and no folder.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graft.charts.numbers import difference, estimate, number, percent, share, size
from graft.common.vocabulary import TESTS
from graft.conformal.coverage import failures
from graft.familiarity.familiar import CHECKS
from graft.networks.card import describe_guarantee
from graft.release.fitted import Fitted
from graft.statistics.sentences import VALIDATION

TEMPLATE = "README.md.j2"
OTHER = "LicenseRef-"  # begins the name of a licence that SPDX does not list
SCORES = {"auroc": ("roc_auc", "AUROC"), "brier": ("brier_score", "Brier score")}

Block = Mapping[str, Any]  # an object of a JSON document


def model_card(metrics: Block, card: Block, fitted: Fitted) -> str:
    """The text of README.md.

    Args:
        metrics: metrics.json.
        card: card.json of the model.
        fitted: what was fitted with it.
    """
    import jinja2  # late, as only evaluation needs it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "difference": difference,
        "guarantee": describe_guarantee,
        "estimate": estimate,
        "number": number,
        "percent": percent,
        "share": share,
        "size": size,
    }
    parts = [part for part in TESTS if metrics["target"]["counts"][part]]
    return environment.get_template(TEMPLATE).render(
        front=front_matter(metrics, card, fitted, parts),
        metrics=metrics,
        model=metrics["models"][fitted.name],
        card=card,
        spacing=card.get("preprocessing", {}).get("spacing"),
        fitted=fitted,
        parts=parts,
        checks=CHECKS,
        level=percent(metrics["bootstrap"]["confidence"]),
        validation=VALIDATION[metrics["validated"]["by"]],
        uncovered=list(failures(metrics["conformal"])),
    )


def front_matter(metrics: Block, card: Block, fitted: Fitted, parts: Sequence[str]) -> str:
    """The YAML that Hugging Face reads: licence, tags and the scores of each test part."""
    from huggingface_hub import EvalResult, ModelCardData  # late: it takes a second

    results = []
    for part in parts:
        for key, (metric, name) in SCORES.items():
            value = metrics["models"][fitted.name][part][key]["value"]
            if value is not None:
                result = EvalResult(
                    task_type="image-classification",
                    dataset_type=fitted.target,
                    dataset_name=fitted.target,
                    dataset_split=part,
                    metric_type=metric,
                    metric_name=name,
                    metric_value=value,
                )
                results.append(result)
    licence, licence_name = licence_of(fitted.licence)
    data = ModelCardData(
        license=licence,
        license_name=licence_name,
        library_name="graft",
        pipeline_tag="image-classification",
        tags=["graft", "medical-imaging", "transfer-learning", "research-only", fitted.target],
        model_name=f"graft-{fitted.target}",
        eval_results=results,
    )
    return data.to_yaml()


def licence_of(expression: str) -> tuple[str, str | None]:
    """An SPDX expression as Hugging Face's keys license and license_name.

    Its own names are those of SPDX in lower case, each of a single licence.
    """
    if expression.startswith(OTHER) or " " in expression:
        return "other", expression.removeprefix(OTHER).lower()
    return expression.lower(), None
