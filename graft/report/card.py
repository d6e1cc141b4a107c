"""The model card, after Mitchell et al. (2019), Model Cards for Model Reporting."""

from collections.abc import Iterator

from graft.charts.numbers import number, plural, size, value_of
from graft.evidence.evidence import Evidence, score_of
from graft.report.origin import first_step, parameter_text
from graft.report.words import UNKNOWN_PATIENTS


def model_card(evidence: Evidence) -> dict[str, list[str]]:
    """The headings of the card with their paragraphs."""
    return {
        "Model": _model(evidence),
        "Intended use": _intended_use(evidence),
        "Training data": [_training_data(evidence)],
        "Evaluation data": _evaluation_data(evidence),
        "Metrics": _scores(evidence),
        "Limits": list(_limits(evidence)),
    }


def _model(evidence: Evidence) -> list[str]:
    count = len(evidence.metrics["models"])
    criterion = evidence.metrics["chosen"]["by"]
    architecture = evidence.card["architecture"]
    details = []
    for key, value in architecture.items():
        if key != "name":
            details.append(f"{key} {parameter_text(value)}")
    parent = (evidence.card.get("parent") or {}).get("folder")
    if parent:
        start = f"Its training started from {parameter_text(parent)}."
    else:
        start = f"It was trained from scratch, without {evidence.metrics['source']['name']}."
    return [
        f"{evidence.chosen}, which has the lowest {criterion} of {count} models, in "
        f"{parameter_text(evidence.model_folder)}. Architecture: {architecture['name']}, "
        f"{', '.join(details)}.",
        start,
    ]


def _intended_use(evidence: Evidence) -> list[str]:
    target = evidence.metrics["target"]["name"]
    *first, last = evidence.classes
    return [
        f"Research only: to find out whether {first_step(evidence)} helps to distinguish "
        f"{', '.join(first)} and {last} lesions of {target}. It is not a medical device and not "
        "fit for diagnosis.",
        "Out of scope: patients who differ from those described here, scanners and protocols on "
        "which it was not tested, lesions that were not marked, and any decision about a "
        "patient.",
    ]


def _training_data(evidence: Evidence) -> str:
    source = evidence.metrics["source"]
    target = evidence.metrics["target"]
    train = target["counts"]["train"]
    if source["pretrained"]:
        lesions = plural(source["counts"]["train"]["lesions"], "lesion")
        before = f"after training on {lesions} of {source['name']}"
    else:
        origin = parameter_text(evidence.parameters["pretrain"]["source"])
        before = f"starting from weights that were trained elsewhere ({origin})"
    return f"{size(train)} of {target['name']}, {before}."


def _evaluation_data(evidence: Evidence) -> list[str]:
    paragraphs = []
    for part in evidence.parts:
        counts = evidence.metrics["target"]["counts"][part]
        paragraphs.append(f"The {part} part: {size(counts)}.")
    return paragraphs


def _scores(evidence: Evidence) -> list[str]:
    model = evidence.metrics["models"][evidence.chosen]
    paragraphs = []
    for part in evidence.parts:
        auroc = number(value_of(score_of(model[part])))
        paragraphs.append(
            f"AUROC {auroc} on the {part} part. Its interval and the results by subgroup are above."
        )
    return paragraphs


def _limits(evidence: Evidence) -> Iterator[str]:
    counts = evidence.metrics["target"]["counts"]
    smallest = min((counts[part] for part in evidence.parts), key=lambda count: count["lesions"])
    yield (
        f"The smallest part that it was tested on has {size(smallest)}. The intervals show how "
        "uncertain the results are."
    )
    if evidence.unit == "lesion":
        yield UNKNOWN_PATIENTS
    if "external" not in evidence.parts:
        yield "No site was held out, so the performance at other hospitals is unknown."
    if not (evidence.block("subgroups") or {}).get("rows"):
        yield "The performance in subgroups is unknown."
    yield (
        "Saliency and robustness describe how the model behaves on these images. They do not show "
        "that it reasons as a radiologist does."
    )
    if evidence.synthetic:
        yield "The patients are simulated, so no result applies to real patients."
