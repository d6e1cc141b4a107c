"""Writes the files of a run that the report reads, without running the pipeline."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from graft.common.files import write_sealed
from graft.statistics.verdict import decide
from tests.run_attacks import attacks_of_run
from tests.run_explained import card_document, robustness_document, saliency_document
from tests.run_metrics import MARGIN, TESTS, metrics_document, undefined
from tests.run_tables import curve_tables, draw_predictions

OPTIONAL_BLOCKS = (
    "sources",
    "learning_curve",
    "cross_validation",
    "subgroups",
    "ablation",
    "patient_effect",
    "margin",
)


def unchanged(metrics: dict) -> None:
    """Leave metrics.json unchanged."""


def write_run(
    root: Path,
    classes: tuple[str, ...] = ("benign", "malignant"),
    external: bool = True,
    bare: bool = False,
    maps: int = 2,
    change: Callable[[dict], object] = unchanged,
) -> Path:
    """Write the files of evaluation, explanation and the chosen model below `root`.

    Args:
        root: the folder that receives metrics/ and models/best/.
        classes: of the target; the last one is the disease.
        external: whether a site is held out.
        bare: whether every block and score that may be null is null.
        maps: the number of cases with a picture.
        change: modifies the content of metrics.json before it is written.

    Returns:
        The folder metrics/.
    """
    labels = list(classes)
    metrics = metrics_document(labels)
    saliency = saliency_document(maps)
    robustness = robustness_document()
    if bare:
        clear_metrics(metrics)
        clear_saliency(saliency)
        clear_robustness(robustness)
    if not external:
        metrics = without_external(metrics)
    change(metrics)

    folder = root / "metrics"
    (folder / "explain").mkdir(parents=True)
    (root / "models/best").mkdir(parents=True)
    write_tables(folder, labels, ["test", "external"] if external else ["test"])
    write_pictures(folder / "explain", saliency)
    tables = ["predictions.csv", *(f"plots/{path.name}" for path in (folder / "plots").iterdir())]
    pictures = [case["picture"] for case in saliency["cases"]]
    write_sealed(folder / "metrics.json", metrics, tables)
    write_sealed(folder / "attacks.json", attacks_of_run())
    write_sealed(folder / "explain/saliency.json", saliency, pictures)
    write_sealed(folder / "explain/robustness.json", robustness)
    write_sealed(root / "models/best/card.json", card_document(labels))
    return folder


def write_tables(folder: Path, classes: list[str], parts: list[str]) -> None:
    predictions = draw_predictions(classes, parts)
    predictions.to_csv(folder / "predictions.csv", index=False)
    (folder / "plots").mkdir()
    for name, table in curve_tables(predictions, classes).items():
        table.to_csv(folder / f"plots/{name}.csv", index=False)


def write_pictures(folder: Path, saliency: dict) -> None:
    (folder / "maps").mkdir()
    for case in saliency["cases"]:
        (folder / case["picture"]).write_bytes(picture(case["sample"]))


def picture(seed: int) -> bytes:
    """A PNG file of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (60, 180), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def without_external(content: object) -> object:
    """The document of a run without a held-out site: no rows of it, and null for its scores."""
    if isinstance(content, dict):
        kept = {key: without_external(value) for key, value in content.items()}
        return kept | {"external": None} if "external" in kept else kept
    if isinstance(content, list):
        return [without_external(item) for item in content if not is_external_row(item)]
    return content


def is_external_row(item: object) -> bool:
    return isinstance(item, dict) and item.get("part") == "external"


def clear_metrics(metrics: dict) -> None:
    """Set every block and score of metrics.json that may be null to null."""
    no_gain = dict.fromkeys(("value", "low", "high", "p", "left_out"))
    metrics |= dict.fromkeys(OPTIONAL_BLOCKS)
    metrics |= decide(no_gain, None, MARGIN, 0.95)
    metrics["checks"] = []
    metrics["source"] |= {"pretrained": None, "gain_over_size": None}
    for model in metrics["models"].values():
        model |= {"calibration": None, "operating_points": None}
        for part in TESTS:
            model[part]["auroc"] = undefined()
    for parts in metrics["transfer_gain"].values():
        for part in TESTS:
            parts[part] = undefined_gain()


def undefined_gain() -> dict:
    return undefined() | {
        "p": None,
        "p_holm": None,
        "delong": {"low": None, "high": None, "p": None},
        "non_inferior": None,
        "patients_needed": None,
    }


def clear_saliency(saliency: dict) -> None:
    """Leave one method without scores and no cases."""
    scores = {"share": undefined(), "pointing_game": undefined()}
    saliency |= {"region": None, "uniform_share": None, "cases": []}
    saliency["methods"]["occlusion"] = None
    saliency["methods"]["grad_cam"] |= scores
    saliency["methods"]["grad_cam"] |= {"by_chance": None, "randomised": scores, "keeps": None}


def clear_robustness(robustness: dict) -> None:
    """Leave one corruption without scores."""
    row = {
        "corruption": "noise",
        "amount": 0.05,
        "unit": "of the window",
        "auroc": undefined(),
        "drop": undefined() | {"p": None},
    }
    robustness |= {"auroc": undefined(), "rows": [row]}
