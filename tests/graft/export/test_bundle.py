import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from graft.export.bundle import SCHEMA
from graft.export.export import export_model
from graft.export.scripts.patch import Patchd
from graft.grids.grid import Grid
from graft.grids.intensity import raw_window
from graft.ingest.channels import with_channels
from graft.networks.saved import Model
from graft.pictures.picture_patches import NamedPicture, cut_pictures
from graft.scans.patches import cut_patch
from graft.statistics.calibrate import Temperature
from graft.volumes.volume_files import read_volume
from tests.graft.export.models import COLUMNS, TEMPERATURE, Calibration, make_model

PATCH = (12, 12, 12)
SPACING = (1.0, 1.0, 1.5)
WINDOW = (-100.0, 300.0)
POSITIONS = [[10.0, -22.0, 31.5], [8.0, -20.0, 30.0]]
# What the schema of MONAI requires.
REQUIRED = (
    "schema",
    "version",
    "monai_version",
    "pytorch_version",
    "numpy_version",
    "required_packages_version",
    "task",
    "description",
    "authors",
    "copyright",
    "network_data_format",
)
OF_TENSORS = ("type", "format", "num_channels", "spatial_shape", "dtype", "value_range")
TENSORS = {"additionalProperties": {"type": "object", "required": OF_TENSORS}}


def preprocessing(**changes: object) -> dict:
    return {"spacing": list(SPACING), "window": list(WINDOW), "intensity": "window", **changes}


def export_bundle(folder: Path, **model: object) -> Model:
    made = make_model(**{"patch": PATCH, "preprocessing": preprocessing(), **model})
    export_model(folder, "monai-bundle", made, Calibration(), "abc")
    return made


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Path:
    """A scan that is twice as fine as the patches along one axis, so that it is smoothed."""
    path = tmp_path_factory.mktemp("scan") / "scan.nii.gz"
    voxels = np.random.default_rng(0).normal(100, 120, (40, 60, 30)).astype(np.float32)
    affine = np.diag([-0.5, 0.8, 2.0, 1.0])
    affine[:3, 3] = [20, -45, 5]
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> tuple[Path, Model]:
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    return folder, export_bundle(folder)


@pytest.fixture
def in_bundle() -> Iterator[None]:
    """Forget the scripts of a bundle when its test ends."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.split(".")[0] == "scripts"]:
        del sys.modules[name]


def run_workflow(folder: Path, lesions: list[dict], **changes: object) -> np.ndarray:
    """Run the workflow of a bundle in this process; returns the probabilities in its table."""
    from monai.bundle import create_workflow

    workflow = create_workflow(
        workflow_type="inference",
        config_file=str(folder / "configs/inference.json"),
        bundle_root=str(folder),
        lesions=lesions,
        **changes,
    )
    workflow.run()
    workflow.finalize()
    table = pd.read_csv(folder / "eval/predictions.csv", header=None)
    return table.to_numpy()[:, -2:].astype(float)


def calibrate(raw: np.ndarray) -> np.ndarray:
    return Temperature(TEMPERATURE, ()).apply(raw)


def cut(scan: Path, window: tuple[float, float] = WINDOW) -> np.ndarray:
    """The patches as graft cuts and stores them."""
    volume = read_volume(scan)
    grid = Grid(PATCH, SPACING, window)
    patches = [cut_patch(volume, np.array(position), grid) for position in POSITIONS]
    return np.stack(patches).astype(np.float16)


def test_the_workflow_predicts_from_a_scan_as_graft_does(bundle, scan, in_bundle):
    folder, model = bundle
    lesions = [{"image": str(scan), "position": position} for position in POSITIONS]
    found = run_workflow(folder, lesions)
    expected = calibrate(model.predict(cut(scan)))
    assert np.ptp(expected[:, 1]) > 1e-3
    assert found == pytest.approx(expected, abs=1e-5)
    raw = run_workflow(folder, lesions, calibrated=False)
    assert raw == pytest.approx(model.predict(cut(scan)), abs=1e-5)


INTENSITIES = {"window": WINDOW, "percentile": (5.0, 95.0), "zscore": (-1.5, 2.0)}


@pytest.mark.parametrize("patch", [PATCH, PATCH[:2]], ids=["volume", "plane"])
@pytest.mark.parametrize("intensity", INTENSITIES)
def test_its_patches_of_a_scan_are_those_of_graft(scan, intensity, patch):
    window = INTENSITIES[intensity]
    spacing = SPACING[: len(patch)]
    transform = Patchd("image", patch, spacing, window, intensity, channels=2)
    volume = read_volume(scan)
    raw = raw_window(window, intensity, volume.voxels)
    for position in POSITIONS:
        expected = cut_patch(volume, np.array(position), Grid(patch, spacing, raw))
        found = transform({"image": str(scan), "position": position})
        assert found["image"].numpy() == pytest.approx(np.repeat(expected, 2, 0), abs=2e-6)
    assert found["lesion"] == f"{scan} at 8.0 -20.0 30.0"


def test_its_patches_of_pictures_and_arrays_are_those_of_graft(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (30, 21, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    transform = Patchd("image", (8, 8), None, (0.0, 255.0), "window", channels=3)
    expected = cut_pictures("x", [NamedPicture(path)], Grid((8, 8), (1.0, 1.0), (0.0, 255.0)))
    assert transform({"image": path})["image"].numpy() == pytest.approx(expected[0], abs=1e-3)
    np.save(tmp_path / "patch.npy", pixels[:8, :8, 0])
    found = transform({"image": tmp_path / "patch.npy"})["image"].numpy()
    assert found == pytest.approx(np.repeat(pixels[None, :8, :8, 0] / 255, 3, 0), abs=1e-6)


@pytest.mark.parametrize("intensity", ["percentile", "zscore"])
def test_its_window_of_a_large_scan_is_by_the_same_voxels(scan, intensity, monkeypatch):
    window = INTENSITIES[intensity]
    volume = read_volume(scan)
    whole = raw_window(window, intensity, volume.voxels)
    monkeypatch.setattr("graft.grids.intensity.MAX_VOXELS", 9000)
    monkeypatch.setattr("graft.export.scripts.patch.MAX_VOXELS", 9000)
    raw = raw_window(window, intensity, volume.voxels)
    assert raw != pytest.approx(whole, abs=0.1)
    expected = cut_patch(volume, np.array(POSITIONS[0]), Grid(PATCH, SPACING, raw))
    transform = Patchd("image", PATCH, SPACING, window, intensity, channels=1)
    found = transform({"image": str(scan), "position": POSITIONS[0]})["image"].numpy()
    assert found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_gets_the_channels_of_the_network_as_in_graft(tmp_path, mode, channels):
    pixels = np.random.default_rng(0).integers(0, 255, (30, 21, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).convert(mode).save(path)
    grid = Grid((8, 8), (1.0, 1.0), (0.0, 255.0))
    expected = with_channels(cut_pictures("x", [NamedPicture(path)], grid), channels)[0]
    transform = Patchd("image", (8, 8), None, (0.0, 255.0), "window", channels)
    assert transform({"image": path})["image"].numpy() == pytest.approx(expected, abs=1e-3)


def test_other_channels_than_those_of_the_network_are_an_error(tmp_path):
    np.save(tmp_path / "patch.npy", np.zeros((2, 8, 8)))
    transform = Patchd("image", (8, 8), None, (0.0, 255.0), "window", channels=3)
    with pytest.raises(ValueError, match=r"patch.npy: has 2 channels, expected 3"):
        transform({"image": tmp_path / "patch.npy"})


@pytest.mark.slow
def test_a_picture_with_covariates_is_predicted_too(tmp_path, in_bundle):
    flat = {"spacing": None, "window": [0.0, 255.0], "intensity": "window"}
    model = export_bundle(
        tmp_path / "bundle", patch=(8, 8), columns=tuple(COLUMNS), preprocessing=flat
    )
    pixels = np.random.default_rng(0).integers(0, 255, (30, 21), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    known = pd.DataFrame({"age": ["70"], "sex": ["f"], "note": [""]})
    encoded = model.encoding.encode(known)[0].tolist()
    lesions = [{"image": str(tmp_path / "picture.png"), "covariates": encoded}]
    found = run_workflow(tmp_path / "bundle", lesions)
    grid = Grid((8, 8), (1.0, 1.0), (0.0, 255.0))
    patch = cut_pictures("x", [NamedPicture(tmp_path / "picture.png")], grid)
    assert found == pytest.approx(calibrate(model.predict(patch, known)), abs=1e-5)


def test_its_metadata_are_what_monai_requires(bundle, tmp_path):
    from monai.bundle import verify_metadata

    folder, _ = bundle
    metadata = json.loads((folder / "configs/metadata.json").read_text())
    schema = {
        "type": "object",
        "required": REQUIRED,
        "properties": {
            "network_data_format": {
                "required": ["inputs", "outputs"],
                "properties": {"inputs": TENSORS, "outputs": TENSORS},
            }
        },
    }
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    meta = str(folder / "configs/metadata.json")
    verify_metadata(meta_file=meta, filepath=str(tmp_path / "schema.json"))
    assert metadata["schema"] == SCHEMA
    assert "research only" in metadata["intended_use"]
    assert metadata["graft"]["model_sha256"] == "abc"
    assert metadata["network_data_format"]["outputs"]["pred"]["channel_def"] == {
        "0": "benign",
        "1": "malignant",
    }


def test_monai_loads_its_network(bundle, in_bundle, monkeypatch):
    import monai.bundle

    folder, model = bundle
    monkeypatch.syspath_prepend(folder)
    network = monai.bundle.create_workflow(
        workflow_type="inference",
        config_file=str(folder / "configs/inference.json"),
        bundle_root=str(folder),
    ).network_def
    images = torch.rand(3, 1, *PATCH).half().float()
    expected = calibrate(model.predict(images))
    assert network(images).detach().numpy() == pytest.approx(expected, abs=1e-6)
    network.train()
    network.eval()


@pytest.mark.slow
def test_the_commands_of_monai_run_it(bundle, scan, tmp_path):
    folder, model = bundle
    lesions = json.dumps([{"image": str(scan), "position": POSITIONS[0]}])
    run = ["run", "--config_file", "configs/inference.json", "--bundle_root", "."]
    check = ["verify_net_in_out", "--net_id", "network_def", "--p", "1", "--n", "1"]
    check += ["--config_file", "configs/inference.json", "--meta_file", "configs/metadata.json"]
    for words in ([*run, "--lesions", lesions], [*check, "--bundle_root", "."]):
        command = [sys.executable, "-m", "monai.bundle", *words]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
    table = pd.read_csv(folder / "eval/predictions.csv", header=None).to_numpy()
    expected = calibrate(model.predict(cut(scan)[:1]))
    assert table[:, -2:].astype(float) == pytest.approx(expected, abs=1e-5)
