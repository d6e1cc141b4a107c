import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graft.common.files import InputError
from graft.familiarity.fit import fit_familiar
from graft.familiarity.measurements import measure
from graft.release.fitted import Fitted
from tests.seals import flip_bit, reseal
from tests.small_target import write_model


@pytest.fixture
def fitted() -> Fitted:
    random = np.random.default_rng(0)
    measured = measure(random.random((12, 1, 8, 8)), None, random.random((12, 4)))
    return Fitted(
        name="bagging",
        source="lung",
        target="liver",
        temperature=1.4515,
        points={"sensitivity": 0.22172, "specificity": None},
        wanted={"sensitivity": 0.9},
        miscoverage=0.1,
        quantiles={"benign": 0.61, "malignant": None},
        familiar=fit_familiar(measured, tuple(range(12)), np.arange(12)),
        licence="CC-BY-NC-4.0",
        provenance={"graft": "0.1.0", "weights": "0" * 64},
    )


@pytest.fixture
def folder(tmp_path, fitted) -> Path:
    write_model(tmp_path)
    (tmp_path / "README.md").write_text("# A model\n")
    fitted.write(tmp_path)
    return tmp_path


def test_what_was_written_is_read_again(folder, fitted):
    assert Fitted.read(folder) == fitted
    files = json.loads((folder / "fitted.json").read_text())["files"]
    assert list(files) == ["weights.safetensors", "card.json", "README.md"]


def test_an_older_folder_has_nothing_that_was_fitted(tmp_path):
    write_model(tmp_path)
    assert Fitted.read(tmp_path) is None


def test_a_readme_may_be_edited(folder, fitted):
    (folder / "README.md").write_text("# The same model\n")
    assert Fitted.read(folder) == fitted


def change_threshold(folder: Path) -> None:
    path = folder / "fitted.json"
    path.write_text(path.read_text().replace("0.22172", "0.92172"))


def cut_short(folder: Path) -> None:
    os.truncate(folder / "fitted.json", 200)


def unseal(folder: Path) -> None:
    path = folder / "fitted.json"
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))


def replace_weights(folder: Path) -> None:
    write_model(folder, seed=8)


def set_key(name: str, value: object):
    return lambda folder: reseal(
        folder / "fitted.json", lambda content: content.update({name: value})
    )


def drop_key(name: str):
    return lambda folder: reseal(folder / "fitted.json", lambda content: content.pop(name))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change_threshold, "fitted.json: was changed after it was written"),
        (cut_short, "fitted.json: cannot be read as JSON"),
        (unseal, "fitted.json: has no key 'sha256'"),
        (replace_weights, "weights.safetensors: was changed after it was written"),
        (lambda folder: flip_bit(folder / "card.json", 50), "card.json: was changed"),
        (
            lambda folder: (folder / "weights.safetensors").unlink(),
            "weights.safetensors: is missing",
        ),
        (set_key("format", 2), "fitted.json: $.format: 1 was expected"),
        (set_key("quantiles", {"benign": "0.6", "b": None}), "fitted.json: $.quantiles.benign: "),
        (set_key("temperature", 0), "fitted.json: $.temperature: 0 is less"),
        (set_key("points", None), "fitted.json: $.points: None is not of type 'object'"),
        (set_key("familiar", {}), "fitted.json: $.familiar: 'ranges' is a required property"),
        (drop_key("licence"), "fitted.json: $: 'licence' is a required property"),
    ],
)
def test_a_changed_file_is_refused_in_one_line(folder, damage, message):
    damage(folder)
    with pytest.raises(InputError) as error:
        Fitted.read(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_pipe_is_not_waited_for(folder):
    (folder / "fitted.json").unlink()
    os.mkfifo(folder / "fitted.json")
    with pytest.raises(InputError, match="is a pipe"):
        Fitted.read(folder)


def test_the_patient_effect_is_optional(folder, fitted):
    reseal(folder / "fitted.json", lambda content: content.pop("patient_effect"))
    assert Fitted.read(folder) == fitted
    effect = {"sd": 1.5, "interval": [0.2, None], "distinguishable": True, "applied_sd": 1.1}
    replace(fitted, patient_effect=effect).write(folder)
    assert Fitted.read(folder).patient_effect == effect


def test_a_patient_effect_beyond_the_model_is_refused(folder):
    effect = {"sd": 1.5, "interval": [0.2, None], "distinguishable": True, "applied_sd": 99.0}
    reseal(folder / "fitted.json", lambda content: content.update(patient_effect=effect))
    with pytest.raises(InputError, match="patient_effect"):
        Fitted.read(folder)
