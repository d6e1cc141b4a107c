import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from graft.common.files import InputError
from graft.export import export, samples
from graft.export.bundle import PROGRAM
from graft.export.exported import Exported, window_inside
from graft.export.program import module_runner
from graft.grids.intensity_map import IntensityMap
from graft.networks.registry import NETWORKS
from graft.statistics.calibrate import Temperature
from tests.graft.export.models import COLUMNS, TEMPERATURE, WINDOW, Calibration, make_model

MODELS = {
    "single": {},
    "ensemble": {"members": 2},
    "covariates": {"columns": tuple(COLUMNS)},
    "mirror": {"predict": {"mirror": True}},
    "volume": {"patch": (8, 8, 8)},
    "three-classes-in-colour": {"channels": 3, "classes": ("a", "b", "c")},
    "all": {
        "name": "cnn",
        "members": 2,
        "columns": tuple(COLUMNS),
        "predict": {"mirror": True},
    },
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, Path]:
    """The model with everything, in each form."""
    folder = tmp_path_factory.mktemp("exports")
    model = make_model(**MODELS["all"])
    paths = {}
    for form in export.FORMS:
        paths[form] = folder / f"model.{form}"
        export.export_model(paths[form], form, model, Calibration(), "abc")
    return paths


@pytest.mark.parametrize("name", MODELS)
def test_the_module_computes_what_the_model_and_its_temperature_do(name):
    model = make_model(**MODELS[name])
    drawn = samples.make_samples(model, TEMPERATURE, (160.0, 0.0))
    calibrated, raw = drawn.expected
    assert np.ptp(raw[:, -1]) > 0.01
    assert np.allclose(calibrated, Temperature(TEMPERATURE, ()).apply(raw))
    assert not np.allclose(calibrated, raw, atol=1e-3)
    run = module_runner(Exported(model, TEMPERATURE, (160.0, 0.0)))
    assert samples.largest_difference("module", run, drawn) < 1e-6


def test_the_module_maps_intensities_and_adds_a_bias():
    model = make_model(**MODELS["mirror"])
    adapted = {"bias": (0.4, -0.4), "intensity": IntensityMap(1.2, -0.1)}
    for window in ((160.0, 0.0), None):
        drawn = samples.make_samples(model, TEMPERATURE, window, **adapted)
        plain = samples.make_samples(model, TEMPERATURE, window)
        assert np.abs(drawn.expected[1] - plain.expected[1]).max() > 1e-3
        calibrated = Temperature(TEMPERATURE, (), adapted["bias"]).apply(drawn.expected[1])
        assert np.allclose(drawn.expected[0], calibrated)
        run = module_runner(Exported(model, TEMPERATURE, window, **adapted))
        assert samples.largest_difference("module", run, drawn) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_program_gives_the_probabilities_of_the_model(tmp_path, name):
    model = make_model(**MODELS[name])
    path = tmp_path / "model.pt2"
    assert export.export_model(path, "pt2", model, Calibration(), "abc") < 1e-6


def test_everything_is_exported_in_every_form(exported):
    model = make_model(**MODELS["all"])
    for name, form in export.FORMS.items():
        window = (160.0, 0.0) if form.window else None
        drawn = samples.make_samples(model, TEMPERATURE, window)
        run = form.run(exported[name])
        assert samples.largest_difference(name, run, drawn) <= samples.TOLERANCE
        more = np.concatenate([drawn.images] * 3)  # another size of batch than at the export
        calibrated, raw = run(more, np.concatenate([drawn.covariates] * 3))
        assert calibrated == pytest.approx(np.tile(drawn.expected[0], (3, 1)), abs=1e-5)
        assert raw == pytest.approx(np.tile(drawn.expected[1], (3, 1)), abs=1e-5)


def test_the_window_is_inside_unless_it_depends_on_the_scan():
    assert window_inside(WINDOW) == (160.0, 0.0)
    assert window_inside({**WINDOW, "intensity": "zscore"}) is None
    assert window_inside(None) is None


def test_images_are_rounded_as_they_are_stored():
    model = make_model()
    images = np.random.default_rng(0).random((2, 1, 8, 8)).astype(np.float32)
    module = Exported(model)
    with torch.no_grad():
        stored, as_given = (
            module(torch.from_numpy(x))[1] for x in (images.astype(np.float16) * 1.0, images)
        )
    assert torch.equal(stored, as_given)


def test_an_onnx_file_describes_the_model(exported):
    session = onnxruntime.InferenceSession(exported["onnx"])
    described = json.loads(session.get_modelmeta().custom_metadata_map["graft"])
    assert described["model_sha256"] == "abc"
    assert described["classes"] == ["benign", "malignant"]
    assert "research only" in described["use"]
    assert described["preprocessing"] == WINDOW
    assert described["thresholds_of_raw_probability"] == {"sensitivity": 0.3}
    assert described["covariates"] == COLUMNS
    assert [node.name for node in session.get_inputs()] == ["image", "covariates"]
    onnx.checker.check_model(onnx.load(exported["onnx"]))


def test_a_program_describes_the_model(exported):
    extra = {"graft.json": ""}
    torch.export.load(exported["pt2"], extra_files=extra)
    assert json.loads(extra["graft.json"])["model_sha256"] == "abc"


def test_exports_name_no_path_of_this_machine(exported):
    contents = {"onnx": exported["onnx"].read_bytes()}
    for name, path in {
        "pt2": exported["pt2"],
        "monai-bundle": exported["monai-bundle"] / PROGRAM,
    }.items():
        with zipfile.ZipFile(path) as archive:
            contents[name] = b"".join(archive.read(entry) for entry in archive.namelist())
    code = str(Path(export.__file__).parents[2]).encode()
    libraries = str(Path(torch.__file__).parents[1]).encode()
    for content in contents.values():
        assert code not in content
        assert libraries not in content


@pytest.mark.parametrize("form", ["pt2", "monai-bundle"])
def test_an_export_that_differs_is_not_kept(tmp_path, monkeypatch, form):
    monkeypatch.setattr(Exported, "forward", _wrong)
    path = tmp_path / "model"
    with pytest.raises(InputError, match=r"differs from the model by 0\.\d+ in a probability"):
        export.export_model(path, form, make_model(), None, "abc")
    assert not list(tmp_path.iterdir())


def _wrong(self, image, covariates=None):
    raw = self.networks[0](image).softmax(1)  # without the window
    return raw, raw


def test_a_missing_package_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--to onnx: .* not installed, expected `pip install"):
        export.export_model(tmp_path / "model.onnx", "onnx", make_model(), None, "abc")


def test_given_patches_are_compared_too(tmp_path):
    model = make_model()
    given = np.random.default_rng(0).random((3, 1, 8, 8)).astype(np.float16)
    drawn = samples.make_samples(model, 1.0, (160.0, 0.0), given)
    assert np.allclose(drawn.expected[1][-3:], model.predict(given), atol=1e-7)
    with pytest.raises(InputError, match=r"patches: have the shape \(1, 9, 9\), expected"):
        samples.make_samples(model, 1.0, None, np.zeros((3, 1, 9, 9)))


def test_nan_is_a_difference():
    drawn = samples.make_samples(make_model(), 1.0, None)

    def run(images: np.ndarray, covariates: object) -> samples.Results:
        wrong = np.full((len(images), 2), np.nan)
        return wrong, wrong

    with pytest.raises(InputError, match="differs from the model by nan"):
        samples.largest_difference("model", run, drawn)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "pt2"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_exported(tmp_path, name, form):
    for dimensions in NETWORKS[name].dimensions:
        model = make_model(name, patch=(32,) * dimensions)
        path = tmp_path / f"{dimensions}.{form}"
        assert export.export_model(path, form, model, Calibration(), "abc") <= samples.TOLERANCE


def test_no_sample_is_one_value_everywhere_in_the_window():
    drawn = samples.make_samples(make_model(), 1.0, None)  # graft refuses such a patch
    assert (drawn.images.reshape(len(drawn.images), -1).std(1) > 0.01).all()
    assert {0.0, 1.0} <= set(np.unique(drawn.images[-1]))  # both limits
