from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

import graft
from graft.common.files import InputError
from graft.conformal.quantiles import CANNOT_TELL
from graft.networks.build import build_network
from graft.networks.card import write_no_model
from graft.networks.saved import load_model, save_model
from graft.prediction.lesions import Lesion
from graft.prediction.prediction import Failure, Prediction
from graft.prediction.predictor import Predictor, load
from tests.trained import fitted_values, random_scan, write_trained

AGE = {"name": "age", "kind": "number", "mean": 60.0, "std": 10.0}
NOTE = {"name": "note", "kind": "text"}
SIZE = {"name": "log_size", "kind": "number", "mean": 2.0, "std": 0.5}


@pytest.fixture
def scan(tmp_path) -> Path:
    path = tmp_path / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(random_scan(), np.eye(4)), path)
    return path


@pytest.fixture
def model(tmp_path) -> Path:
    return write_trained(tmp_path / "model", fitted=fitted_values())


def lesions_in(scan: Path, count: int) -> list[Lesion]:
    places = np.random.default_rng(5).uniform(4, 11, (count, 3))
    return [Lesion(scan, tuple(place)) for place in places.tolist()]


def test_a_notebook_predicts_in_one_line(scan, model):
    found = graft.load(model).predict(scan, at=(8, 8, 8))
    assert isinstance(found, Prediction)
    assert found.lesion.image == scan
    lines = repr(found).splitlines()
    assert lines[0] == f"{scan}: {found.answer}"
    assert lines[-1].endswith("For research only, not for diagnosis.")
    assert max(map(len, lines[1:])) < 120


def test_the_package_has_no_other_name():
    assert "load" in dir(graft)
    with pytest.raises(AttributeError, match="has no attribute 'save'"):
        graft.save  # noqa: B018


def test_the_probabilities_are_those_of_the_model_and_calibrated_by_the_temperature(scan, model):
    predictor = load(model, "cpu")
    [found] = predictor.predict_lesions([Lesion(scan, (8.0, 8.0, 8.0))])
    p = found.probabilities["malignant"]
    odds = (p / (1 - p)) ** (1 / 2)  # the temperature is 2
    assert found.calibrated["malignant"] == pytest.approx(odds / (1 + odds), abs=1e-7)
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-8)


def test_a_patch_on_the_voxels_is_predicted_as_the_model_predicts_it(scan, model):
    found = load(model, "cpu").predict(scan, at=(7.5, 7.5, 7.5))
    images = random_scan()[None, None, 4:12, 4:12, 4:12].astype(np.float16)
    [expected] = load_model(model).predict(images)
    assert list(found.probabilities.values()) == expected.round(8).tolist()


@pytest.mark.parametrize("members", [1, 3])
def test_a_prediction_does_not_depend_on_the_others(scan, tmp_path, members):
    folder = write_trained(tmp_path / "m", members=members, fitted=fitted_values())
    predictor = load(folder, "cpu")
    lesions = lesions_in(scan, 11)
    together = predictor.predict_lesions(lesions)
    alone = [predictor.predict_lesions([lesion])[0] for lesion in lesions]
    turned = predictor.predict_lesions(lesions[::-1])[::-1]
    assert together == alone == turned
    assert len({one.probabilities["malignant"] for one in together}) == 11


def test_failures_keep_their_places(scan, model):
    good, *_ = lesions = lesions_in(scan, 3)
    lesions[1] = Lesion(scan.with_name("missing.nii.gz"), (1.0, 2.0, 3.0))
    found = load(model, "cpu").predict_lesions(lesions)
    assert [type(one) for one in found] == [Prediction, Failure, Prediction]
    assert found[0] == load(model, "cpu").predict_lesions([good])[0]
    assert found[1].message == f"{lesions[1].image}: is missing, expected a file"


def test_an_older_folder_predicts_without_what_was_fitted(scan, tmp_path):
    predictor = load(write_trained(tmp_path / "old"), "cpu")
    found = predictor.predict(scan, at=(8, 8, 8))
    assert found.calibrated is found.threshold is found.called is found.plausible is None
    best = max(found.probabilities, key=found.probabilities.get)
    assert found.answer == best
    assert found.measurements["feature_distance"] is None
    assert found.measurements["spacing_mm"] == 1
    assert "no calibration" in repr(predictor)


def test_the_hash_is_of_all_that_decides(tmp_path):
    old = load(write_trained(tmp_path / "a"), "cpu").sha256
    assert load(write_trained(tmp_path / "b"), "cpu").sha256 == old
    new = load(write_trained(tmp_path / "b", fitted=fitted_values()), "cpu").sha256
    other = load(write_trained(tmp_path / "c", fitted=fitted_values(temperature=1.5)), "cpu").sha256
    assert len({old, new, other}) == 3


def test_a_changed_folder_is_refused(model):
    (model / "fitted.json").write_text((model / "fitted.json").read_text().replace("2.0", "3.0"))
    with pytest.raises(InputError, match="fitted.json: was changed"):
        load(model)


def test_a_model_that_was_not_wanted_is_refused(tmp_path):
    write_no_model(tmp_path / "none", "not wanted")
    with pytest.raises(InputError, match="has no model"):
        load(tmp_path / "none")


def test_a_card_that_does_not_say_how_images_were_made_is_refused(tmp_path):
    shape = {"name": "resnet", "patch": [8, 8], "channels": 1, "classes": 2, "width": 8}
    save_model(tmp_path, [build_network(**shape, seed=0)], {"architecture": shape, "classes": "ab"})
    with pytest.raises(InputError, match="does not say how the images of the model were made"):
        load(tmp_path)


def test_covariates_and_the_size_decide(scan, tmp_path):
    columns = (AGE, NOTE, SIZE)
    folder = write_trained(tmp_path / "m", covariates=columns, width=2 + 65 + 2)
    predictor = load(folder, "cpu")

    def predict(**changes: object) -> float:
        wanted = {"age": 63, "note": "seen before", "diameter_mm": 12.0} | changes
        diameter = wanted.pop("diameter_mm")
        found = predictor.predict(scan, (8, 8, 8), diameter_mm=diameter, covariates=wanted)
        return found.probabilities["malignant"]

    # The head reads covariates with the weight 0 until it is trained.
    network = predictor.model.networks[0]
    rising = torch.linspace(-1, 1, 69)
    network.head.weight.data[:, -69:] = torch.stack([rising, -rising])
    base = predict()
    others = [
        predict(age=43),
        predict(age=None),
        predict(note="another text"),
        predict(note=""),
        predict(diameter_mm=30.0),
    ]
    assert len({base, *others}) == 6
    assert predict(age="63 ") == base


@pytest.mark.parametrize(
    ("covariates", "diameter", "message"),
    [
        ({"note": ""}, 9.0, "covariates: age is missing"),
        ({"age": "old", "note": ""}, 9.0, "age is 'old'"),
        ({"age": "nan", "note": ""}, 9.0, "age is 'nan'"),
        ({"age": "1e300", "note": ""}, 9.0, "a number is too large for float32"),
        ({"age": "", "note": ""}, None, "needs the diameter of the lesion"),
        ({"age": "", "note": ""}, -1.0, "diameter: got -1.0 mm"),
    ],
)
def test_what_is_missing_is_named(scan, tmp_path, covariates, diameter, message):
    folder = write_trained(tmp_path / "m", covariates=(AGE, NOTE, SIZE), width=2 + 65 + 2)
    with pytest.raises(InputError, match=message):
        load(folder).predict(scan, (8, 8, 8), diameter_mm=diameter, covariates=covariates)


def test_a_picture_is_predicted_by_a_model_of_pictures(tmp_path):
    folder = write_trained(
        tmp_path / "m", (16, 16), 3, spaced=False, window=(0, 255), fitted=fitted_values(ranges={})
    )
    pixels = (random_scan((20, 20, 3)) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    found = load(folder).predict(tmp_path / "p.png")
    assert found.answer in ("benign", "malignant", CANNOT_TELL)
    assert found.document()["lesion"] is None


def test_a_point_that_is_none_is_refused(scan, model):
    with pytest.raises(InputError, match="point: got 'youden', expected sensitivity or spec"):
        load(model).predict(scan, (8, 8, 8), point="youden")


def test_a_predictor_says_what_it_is(model):
    assert isinstance(graft.load(model), Predictor)
    assert repr(graft.load(model)).startswith(f"<model {model} (bagging, for liver): benign, mal")
