"""What a worker process does with one request: all reading of uploads, and the prediction."""

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.common.files import InputError
from graft.common.parallel import one_thread
from graft.common.partial import FULL
from graft.pictures.picture_files import is_picture
from graft.service.faults import FULL_DISK, UNUSABLE, RefusedError, describe_fault
from graft.service.received import prepare
from graft.service.settings import LESION_FIELDS, MASK, RESULT, SCAN, Limits
from graft.service.view import FULL_RANGE, find_window, show_map, show_picture, show_volume
from graft.volumes.volume_files import read_volume

if TYPE_CHECKING:
    from graft.prediction.lesions import Lesion
    from graft.prediction.predictor import Predictor

MODEL_WINDOW, FULL_WINDOW = "model", "full"
MOST_TEXT = 1000  # characters of an error

Task = Mapping[str, Any]


class Tasks:
    """A loaded model, and the work that it does.

    A task is a mapping with `do`, the `folder` of its request, and the fields of the request. Its
    result is written into the folder as RESULT. What is returned is short: the status of HTTP, and
    an error or facts that are counted.
    """

    def __init__(self, predictor: "Predictor", limits: Limits) -> None:
        self.predictor = predictor
        self.limits = limits

    def facts(self) -> dict[str, Any]:
        """What the model is, as JSON values."""
        fitted = self.predictor.fitted
        about: dict[str, Any] = {}
        if fitted is not None:
            about = {
                "name": fitted.name,
                "source": fitted.source,
                "target": fitted.target,
                "temperature": fitted.temperature,
                "bias": fitted.bias,
                "points": fitted.points,
                "wanted": fitted.wanted,
                "miscoverage": fitted.miscoverage,
                "quantiles": fitted.quantiles,
                "licence": fitted.licence,
                "provenance": fitted.provenance,
            }
        card = self.predictor.model.card
        return {
            "sha256": self.predictor.sha256,
            "classes": card["classes"],
            "covariates": self.predictor.form.columns,
            "reads_diameter": self.predictor.form.reads_size,
            "dimensions": len(card["architecture"]["patch"]),
            "fitted": about or None,
            "card": card,
        }

    def run(self, task: Task) -> dict[str, Any]:
        """Do a task; never raises."""
        folder = Path(task["folder"])
        work = {"predict": self._predict, "slices": self._show}[task["do"]]
        try:
            with one_thread():
                return {"status": HTTPStatus.OK, **work(folder, task)}
        except RefusedError as error:
            return {"status": error.status, "error": scrub(str(error), folder)}
        except InputError as error:
            return {"status": UNUSABLE, "error": scrub(str(error), folder)}
        except MemoryError:
            return {"status": UNUSABLE, "error": "the scan does not fit in memory"}
        except OSError as error:
            if error.errno in FULL:
                return {"status": HTTPStatus.SERVICE_UNAVAILABLE, "error": FULL_DISK}
            return {"status": HTTPStatus.INTERNAL_SERVER_ERROR, "fault": describe_fault(error)}
        except Exception as error:  # a fault of graft: the log says where, and nothing of the data
            return {"status": HTTPStatus.INTERNAL_SERVER_ERROR, "fault": describe_fault(error)}

    def _predict(self, folder: Path, task: Task) -> dict[str, Any]:
        from graft.prediction.cut import cut_inputs
        from graft.prediction.prediction import Failure

        [found] = cut_inputs(self.predictor.form, [self._find_lesion(folder, task)])
        if isinstance(found, Failure):
            raise InputError(found.message)
        [prediction] = self.predictor.predict_inputs([found], task["point"])
        if isinstance(prediction, Failure):
            raise InputError(prediction.message)
        document = prediction.document() | {"scan": "", "map": None}
        if task["explain"] and not is_picture(found.lesion.image):
            heat = self.predictor.explain_input(found)
            shown = show_map(heat.values, heat.affine, self.limits.view)
            document["map"] = base64.b64encode(shown).decode()
        text = json.dumps(document, allow_nan=False)
        (folder / RESULT).write_text(text, encoding="utf-8")
        checks = [reason.check for reason in prediction.refused]
        return {"answer": prediction.answer, "refused": checks}

    def _find_lesion(self, folder: Path, task: Task) -> "Lesion":
        from graft.prediction.lesions import Lesion

        mask = None
        if task["mask_name"] is not None:
            mask = prepare(folder / MASK, task["mask_name"], self.limits)
        return Lesion(
            image=prepare(folder / SCAN, task["scan_name"], self.limits),
            position=None if task["at"] is None else tuple(task["at"]),
            mask=mask,
            **{name: task[name] for name in LESION_FIELDS},
        )

    def _show(self, folder: Path, task: Task) -> dict[str, Any]:
        scan = prepare(folder / SCAN, task["scan_name"], self.limits)
        if is_picture(scan):
            shown = show_picture(scan)
        else:
            volume = read_volume(scan, task["series"])
            about = self.predictor.model.card.get("preprocessing", {})
            window, unit = FULL_RANGE, "percentile"
            if task["window"] == MODEL_WINDOW and "window" in about:
                window, unit = tuple(about["window"]), about.get("intensity", "window")
            shown = show_volume(volume, find_window(volume, window, unit), self.limits.view)
        (folder / RESULT).write_bytes(shown)
        return {}


def load_tasks(folder: Path, device: str, limits: Limits, expected: str | None) -> Tasks:
    """Load a model.

    Raises:
        InputError: if it cannot be used, or if its SHA-256 is not the expected one.
    """
    from graft.prediction.predictor import load

    predictor = load(folder, device)
    if expected is not None and predictor.sha256 != expected:
        raise InputError(
            f"{folder}: the SHA-256 of the model is {predictor.sha256}, expected {expected}"
        )
    return Tasks(predictor, limits)


def scrub(text: str, folder: Path) -> str:
    """An error without the folder of its request, on one line and cut short."""
    for path in (folder.resolve(), folder):
        text = text.replace(f"{path}/", "").replace(str(path), "the upload")
    return " ".join(text.split())[:MOST_TEXT]
