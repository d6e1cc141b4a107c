"""Export a model folder, and compare the export with the model before it is kept."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.common.code import library_versions
from graft.common.files import InputError, whole_file, whole_folder
from graft.export.bundle import bundle_runner, write_bundle
from graft.export.exported import CALIBRATED, COVARIATES, IMAGE, PROBABILITIES, Exported
from graft.export.exported import window_inside as window_of
from graft.export.onnx_file import onnx_runner, write_onnx
from graft.export.program import program_runner, trace_program, write_program
from graft.export.samples import TOLERANCE, Run, largest_difference, make_samples
from graft.networks.saved import Model
from graft.release.fitted import Fitted

if TYPE_CHECKING:
    from torch.export import ExportedProgram

USE = "For research only. This is not a medical device."


@dataclass(frozen=True)
class Form:
    """A form of an export: how it is written and run, and what that needs.

    Attributes:
        write: writes a program and a description to a path.
        run: opens what was written.
        whole: makes the file or the folder appear whole.
        window: whether the window is inside.
        needs: modules, by the name of their package.
    """

    write: Callable[[Path, "ExportedProgram", Mapping], None]
    run: Callable[[Path], Run]
    whole: Callable[[Path], AbstractContextManager[Path]]
    window: bool = True
    needs: tuple[str, ...] = ()


FORMS = {
    "onnx": Form(
        write_onnx,
        onnx_runner,
        whole_file,
        needs=("onnx", "onnxruntime", "onnxscript"),
    ),
    "pt2": Form(write_program, program_runner, whole_file),
    "monai-bundle": Form(
        write_bundle, bundle_runner, whole_folder, window=False, needs=("ignite", "monai")
    ),
}


def export_model(
    path: Path,
    form: str,
    model: Model,
    fitted: Fitted | None,
    model_sha256: str,
    patches: np.ndarray | None = None,
) -> float:
    """Export a model, and compare the export with it.

    Args:
        path: of the file or the folder to write. It is kept as it was if the export differs.
        form: one of FORMS.
        model: on the CPU.
        fitted: its calibration, None for an older folder.
        model_sha256: of the model folder.
        patches: (N, C, *patch) in [0, 1] to compare on, besides random ones.

    Returns:
        The largest difference of a probability.

    Raises:
        InputError: if a package is missing, or the export differs by more than TOLERANCE.
    """
    chosen = FORMS[form]
    _check_packages(form, chosen.needs)
    window = window_of(model.card.get("preprocessing")) if chosen.window else None
    temperature = 1.0 if fitted is None else fitted.temperature
    bias = () if fitted is None else tuple(fitted.bias.values())
    intensity = None if fitted is None else fitted.intensity
    samples = make_samples(model, temperature, window, patches, bias, intensity)
    program = trace_program(Exported(model, temperature, window, bias, intensity), samples)
    description = describe(model, fitted, model_sha256, window is not None)
    with chosen.whole(path) as partial:
        chosen.write(partial, program, description)
        return largest_difference(str(path), chosen.run(partial), samples)


def describe(model: Model, fitted: Fitted | None, model_sha256: str, window_inside: bool) -> dict:
    """What an export says of its model, as JSON values."""
    card = model.card
    architecture = card["architecture"]
    return {
        "use": USE,
        "model_sha256": model_sha256,
        "weights_sha256": card.get("weights_sha256"),
        "graft": library_versions(["graft"])["graft"],
        "licence": None if fitted is None else fitted.licence,
        "classes": card["classes"],
        "architecture": architecture,
        "image_shape": [architecture["channels"], *architecture["patch"]],
        "preprocessing": card.get("preprocessing"),
        "window_inside": window_inside,
        "covariates": list(model.encoding.columns),
        "covariates_width": model.encoding.width,
        "inputs": [IMAGE, COVARIATES] if model.encoding.width else [IMAGE],
        "outputs": [CALIBRATED, PROBABILITIES],
        "temperature": None if fitted is None else fitted.temperature,
        "bias": {} if fitted is None else fitted.bias,
        "intensity": asdict(fitted.intensity) if fitted and fitted.intensity else None,
        "thresholds_of_raw_probability": {} if fitted is None else fitted.points,
        "conformal_quantiles": {} if fitted is None else fitted.quantiles,
        "tolerance": TOLERANCE,
    }


def _check_packages(form: str, modules: tuple[str, ...]) -> None:
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise InputError(
            f"--to {form}: the package of {', '.join(missing)} is not installed, expected "
            "`pip install 'graft[export]'`"
        )
