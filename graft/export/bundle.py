"""The model as a bundle of MONAI: network, metadata, and a workflow that predicts on a file."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.common.code import library_versions
from graft.common.files import write_json
from graft.export.exported import COVARIATES, IMAGE
from graft.export.program import program_runner, write_program
from graft.export.samples import Run

if TYPE_CHECKING:
    from torch.export import ExportedProgram

PROGRAM = "models/model.pt2"
SCRIPTS = ("__init__.py", "network.py", "patch.py")
SCHEMA = "https://project-monai.github.io/schema/meta_schema_20240725.json"
VERSION = "1.0.0"
NAME_LESIONS = "$lambda lesions: [{'filename_or_obj': one['lesion']} for one in lesions]"


def write_bundle(folder: Path, program: "ExportedProgram", description: Mapping) -> None:
    """Write a bundle into an empty folder.

    Args:
        folder: gets configs/, models/, scripts/ and docs/.
        program: which takes images in [0, 1].
        description: of the model.
    """
    for name in ("configs", "docs", "models", "scripts"):
        (folder / name).mkdir()
    write_program(folder / PROGRAM, program, description)
    write_json(folder / "configs/metadata.json", _metadata(description))
    write_json(folder / "configs/inference.json", _workflow(description))
    source = files("graft.export.scripts")
    for name in SCRIPTS:
        (folder / "scripts" / name).write_text(source.joinpath(name).read_text("utf-8"), "utf-8")
    (folder / "docs/README.md").write_text(_readme(description), encoding="utf-8")


def bundle_runner(folder: Path) -> Run:
    """Open the program of a bundle to run it on arrays."""
    return program_runner(folder / PROGRAM)


def _metadata(description: Mapping) -> dict:
    """Describe the model as the specification of MONAI bundles asks."""
    versions = library_versions(("monai", "numpy", "pytorch-ignite", "torch"))
    classes = description["classes"]
    inputs = {IMAGE: _tensor("image", "magnitude", description)}
    if description["covariates"]:
        inputs[COVARIATES] = {
            "type": "tuples",
            "format": "clinical covariates, encoded",
            "num_channels": description["covariates_width"],
            "spatial_shape": [],
            "dtype": "float32",
            "value_range": [],
        }
    outputs = {
        "pred": {
            "type": "probabilities",
            "format": "classes",
            "num_channels": len(classes),
            "spatial_shape": [],
            "dtype": "float32",
            "value_range": [0, 1],
            "is_patch_data": False,
            "channel_def": {str(code): name for code, name in enumerate(classes)},
        }
    }
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "changelog": {VERSION: "exported by graft"},
        "monai_version": versions["monai"],
        "pytorch_version": versions["torch"],
        "numpy_version": versions["numpy"],
        "required_packages_version": {"pytorch-ignite": versions["pytorch-ignite"]},
        "name": "graft model",
        "task": f"Classification of lesions: {', '.join(classes)}",
        "description": description["use"],
        "authors": "exported by graft",
        "copyright": description["licence"] or "not given",
        "intended_use": description["use"],
        "pred_classes": ", ".join(classes),
        "network_data_format": {"inputs": inputs, "outputs": outputs},
        "graft": dict(description),
    }


def _tensor(kind: str, form: str, description: Mapping) -> dict[str, Any]:
    channels, *patch = description["image_shape"]
    return {
        "type": kind,
        "format": form,
        "num_channels": channels,
        "spatial_shape": patch,
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": True,
        "channel_def": {str(number): "intensity" for number in range(channels)},
    }


def _workflow(description: Mapping) -> dict:
    """The workflow that predicts for `lesions` and writes a table."""
    preprocessing = description["preprocessing"] or {}
    lesion: dict[str, object] = {"image": "scan.nii.gz", "position": [0.0, 0.0, 0.0]}
    batch: object = "$monai.engines.utils.default_prepare_batch"
    if description["covariates"]:
        lesion["covariates"] = [0.0] * description["covariates_width"]
        batch = {"_target_": "PrepareBatchExtraInput", "extra_keys": [COVARIATES]}
    channels, *patch = description["image_shape"]
    return {
        "imports": ["$import sys", "$import monai", "$sys.path.insert(0, @bundle_root)"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cpu')",
        "lesions": [lesion],
        "calibrated": True,
        "network_def": {
            "_target_": "scripts.network.Network",
            "path": f"$@bundle_root + '/{PROGRAM}'",
            "calibrated": "@calibrated",
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "scripts.patch.Patchd",
            "keys": IMAGE,
            "patch": patch,
            "spacing": preprocessing.get("spacing"),
            "window": preprocessing.get("window", [0.0, 1.0]),
            "intensity": preprocessing.get("intensity", "window"),
            "channels": channels,
        },
        "dataset": {"_target_": "Dataset", "data": "@lesions", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 8},
        "handlers": [
            {
                "_target_": "ClassificationSaver",
                "output_dir": "@output_dir",
                "filename": "predictions.csv",
                "batch_transform": NAME_LESIONS,
                "output_transform": "$monai.handlers.from_engine('pred')",
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "prepare_batch": batch,
            "inferer": {"_target_": "SimpleInferer"},
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


def _readme(description: Mapping) -> str:
    return (
        "# Model exported by graft\n\n"
        f"{description['use']}\n\n"
        "Run it in this folder:\n\n"
        "```\n"
        "python -m monai.bundle run --config_file configs/inference.json --bundle_root . \\\n"
        '    --lesions \'[{"image": "scan.nii.gz", "position": [10.0, -20.0, 30.0]}]\'\n'
        "```\n\n"
        "A position is in mm (R, A, S). The probabilities are in `eval/predictions.csv`, a column\n"
        f"per class: {', '.join(description['classes'])}. `configs/metadata.json` has everything\n"
        "else, such as the SHA-256 of the model under the key `graft`.\n"
    )
