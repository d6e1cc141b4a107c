"""report.html: predictions as one page that needs neither a network nor scripts."""

import base64
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from graft.charts import numbers
from graft.charts.table import Cell, Table
from graft.common.shown import counted
from graft.conformal.quantiles import CANNOT_TELL
from graft.console import counting
from graft.explain.drawings import draw_maps
from graft.explain.saliency import METHODS
from graft.prediction.about import facts_of
from graft.prediction.cut import Input
from graft.prediction.prediction import REFUSED, Failure, Prediction
from graft.prediction.predictor import Predictor, Result
from graft.report.page import make_environment

TEMPLATES = Path(__file__).with_name("templates")
PAGE = "predictions.html.j2"
MOST_CASES = 50  # pictures on a page
MEANINGS = {
    CANNOT_TELL: "Cannot tell: no class, or several, is plausible, or the class at the operating "
    "point is another than the only plausible one.",
    REFUSED: "Refused: the scan is unlike those that the model was trained on, so its "
    "probabilities mean nothing.",
}


@dataclass(frozen=True)
class Case:
    """A lesion with its picture, and its content in words."""

    name: str
    answer: str
    notes: Sequence[str]
    alt: str
    source: Markup  # a data address that contains the picture


def render_page(
    predictor: Predictor, results: Sequence[Result], inputs: Mapping[int, Input], method: str
) -> str:
    """Render the page. The same arguments give the same bytes.

    Args:
        predictor: the model.
        results: predictions and failures, in the order of the inputs.
        inputs: what the model saw, by the number of its prediction.
        method: that makes the maps, `occlusion` or `grad_cam`.
    """
    predicted = {}
    for number, result in enumerate(results):
        if isinstance(result, Prediction):
            predicted[number] = result
    failures = [result for result in results if isinstance(result, Failure)]
    shown = list(predicted)[:MOST_CASES]
    return (
        make_environment(TEMPLATES)
        .get_template(PAGE)
        .render(
            title=f"Predictions for {counted(len(predicted), 'lesion')}",
            sentences=list(_summarise(predictor, list(predicted.values()))),
            answers=_table_of_answers(predictor, list(predicted.values())),
            failures=_table_of_failures(failures),
            cases=_draw_cases(
                predictor, {number: predicted[number] for number in shown}, inputs, method
            ),
            omitted=len(predicted) - len(shown),
            method=METHODS[method].title,
            disease=predictor.classes[-1],
            model=Table("The model", ["what", "value"], list(facts_of(predictor).items())),
        )
    )


def _summarise(predictor: Predictor, predictions: Sequence[Prediction]) -> Iterator[str]:
    found = Counter(one.answer for one in predictions)
    if found:
        yield f"Answers: {', '.join(f'{answer} {count}' for answer, count in found.most_common())}."
    if predictor.fitted is None:
        yield (
            "Nothing was fitted with this model: there is no calibration, no operating point and "
            "no check whether a scan is like the training data."
        )
    for answer, meaning in MEANINGS.items():
        if found[answer]:
            yield meaning


def _table_of_answers(predictor: Predictor, predictions: Sequence[Prediction]) -> Table:
    is_calibrated = predictor.fitted is not None
    noun = "calibrated p" if is_calibrated else "p"
    columns = ["lesion", "answer", *(f"{noun} of {name}" for name in predictor.classes)]
    if is_calibrated:
        columns += ["plausible", "class at the operating point"]
    rows = []
    for one in predictions:
        probabilities = one.calibrated or one.probabilities
        row: list[str | Cell] = [one.lesion.name, _mark(one.answer)]
        row += [numbers.number(value) for value in probabilities.values()]
        if is_calibrated:
            row += [", ".join(one.plausible or ()) or "none", one.called or "no threshold"]
        rows.append(row)
    return Table("Answers", columns, rows, wide=True)


def _mark(answer: str) -> Cell:
    return Cell(answer, "bad" if answer in (CANNOT_TELL, REFUSED) else "")


def _table_of_failures(failures: Sequence[Failure]) -> Table:
    rows = [(failure.lesion.name, failure.reason) for failure in failures]
    return Table("Lesions without a prediction", ["lesion", "reason"], rows)


def _draw_cases(
    predictor: Predictor,
    predictions: Mapping[int, Prediction],
    inputs: Mapping[int, Input],
    method: str,
) -> list[Case]:
    cases = []
    with counting("report", len(predictions), "picture") as show:
        for number, one in predictions.items():
            cases.append(_draw_case(predictor, one, inputs[number], method))
            show("")
    return cases


def _draw_case(predictor: Predictor, one: Prediction, found: Input, method: str) -> Case:
    maps = {METHODS[method].title: predictor.explain_patch(found, method)}
    grid = predictor.form.grid
    spacing = list(grid.spacing) if predictor.form.spaced else None
    picture = io.BytesIO()
    draw_maps(picture, "", found.image, maps, 0, None, spacing)
    content = base64.b64encode(picture.getvalue()).decode()
    notes = [reason.text for reason in one.refused]
    if one.known is not None:
        notes.insert(0, one.known_note)
    if one.lesion.position is not None:
        x, y, z = one.lesion.position
        unit = "" if one.lesion.frame == "voxel" else " mm"
        notes.insert(0, f"at {x:.1f}, {y:.1f}, {z:.1f}{unit} ({one.lesion.frame})")
    return Case(
        name=one.lesion.name,
        answer=one.answer,
        notes=notes,
        alt="planes of the image, and where the model looked",
        source=Markup("data:image/png;base64,") + content,
    )
