from graft.common.files import read_json, write_sealed
from tests.commands import run_module
from tests.trained import fitted_values, write_trained


def test_a_model_is_shown_with_what_was_fitted(tmp_path):
    quantiles = {"benign": 0.6, "malignant": None}
    fitted = fitted_values(quantiles=quantiles)
    folder = write_trained(tmp_path / "m", members=2, fitted=fitted)
    found = run_module("graft", "show", str(folder))
    assert found.returncode == 0
    lines = dict(line.split(maxsplit=1) for line in found.stdout.splitlines())
    assert lines["networks"] == "2 networks: resnet"
    assert lines["input"] == "8 × 8 × 8 voxels of 1 × 1 × 1 mm, 1 channel, window 0 to 1"
    assert lines["sensitivity"].startswith(
        "malignant from p = 0.3, chosen for a sensitivity of 0.9"
    )
    promise = "should hold the true class of 90% of each class, measured: README.md; malignant"
    assert lines["sets"].startswith(promise)
    assert len(lines["sha256"]) == 64


def test_an_older_model_is_shown_without_it(tmp_path):
    folder = write_trained(tmp_path / "m", (16, 16), 3, spaced=False)
    found = run_module("graft", "show", str(folder))
    assert "16 × 16, no spacing, 3 channels" in found.stdout
    assert "no calibration" in found.stdout


def test_a_folder_without_a_model_is_an_error(tmp_path):
    found = run_module("graft", "show", str(tmp_path / "none"))
    assert found.returncode == 1
    assert found.stderr == f"error: {tmp_path}/none/card.json: is missing, expected a file\n"


def test_a_guarantee_towards_the_patients_of_the_source_is_shown(tmp_path):
    folder = write_trained(tmp_path / "model")
    card = read_json(folder / "card.json")
    card["privacy"] = [{"domain": "lung", "unit": "patient", "epsilon": 3.0, "delta": 0.0002}]
    write_sealed(folder / "card.json", card)
    found = run_module("graft", "show", str(folder))
    line = "private       towards each patient of lung who was trained on: ε = 3, δ = 0.0002"
    assert line in found.stdout
