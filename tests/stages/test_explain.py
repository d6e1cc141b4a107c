"""The stage on real files: weights, images, a split and the tables that evaluate writes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.common.files import InputError, sha256, write_sealed
from graft.data.domain import Domain, write_domain
from graft.networks import saved
from graft.networks.build import build_network
from stages import explain, paths
from tests.processed import write_parts
from tests.seals import flip_bit, reseal

ROOT = Path(__file__).parents[2]
CLASSES = ["benign", "malignant"]
OUTPUTS = ("saliency.json", "robustness.json", "robustness.csv")


def write_inputs(
    patch: tuple[int, ...], spacing: list[float] | None = None, masks: np.ndarray | None = None
) -> None:
    """A domain of 24 patients with two lesions each, a model, and the outputs of evaluate."""
    rng = np.random.default_rng(0)
    patient = np.arange(48) // 2
    labels = np.array(CLASSES)[np.arange(48) % 2]
    index = pd.DataFrame(
        {
            "sample": np.arange(48),
            "patient": [f"p{i:02}" for i in patient],
            "label": labels,
            "site": "",
            "split": "",
            "origin": "",
            "size": rng.uniform(3, 6, 48),
            "hash": "",
        }
    )
    preprocessing = {"spacing": spacing, "size": "diameter in mm" if spacing else "pixels"}
    images = rng.random((48, 1, *patch))
    domain = Domain("liver", images, index, CLASSES, preprocessing, masks=masks)
    write_domain(Path("data/processed/liver"), domain)
    parts = np.array(["train", "validation", "test", "external"])[patient % 4]
    write_parts("liver", parts)
    shape = {"name": "resnet", "patch": list(patch), "channels": 1, "classes": 2, "width": 8}
    paths.BEST.mkdir(parents=True, exist_ok=True)
    card = {"architecture": shape, "classes": CLASSES, "shares": [0.5, 0.5]}
    networks = [build_network(**shape, seed=k) for k in range(2)]
    saved.save_model(paths.BEST, networks, card)
    is_tested = np.isin(parts, ["test", "external"])
    probabilities = saved.load_model(paths.BEST).predict(images[is_tested])
    table = index[is_tested].copy()
    table["part"] = parts[is_tested]
    table["model"] = "bagging"
    table["p_benign"] = probabilities[:, 0]
    table["p_malignant"] = probabilities[:, 1]
    table["predicted"] = np.array(CLASSES)[probabilities.argmax(1)]
    paths.METRICS.mkdir(exist_ok=True)
    table.to_csv(paths.METRICS / "predictions.csv", index=False)
    weights = sha256(paths.BEST / "weights.safetensors")
    metrics = {"chosen": {"model": "bagging"}, "hashes": {"models": {"bagging": weights}}}
    write_sealed(paths.METRICS_DOCUMENT, metrics, ["predictions.csv"])


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    params = params.replace("resamples: 2000", "resamples: 100")
    params = params.replace("cases: 6", "cases: 2")
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    threads = torch.get_num_threads()
    # On a busy machine, one thread is faster for images this small.
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def read_document(name: str) -> dict:
    return json.loads((paths.EXPLAIN / name).read_text())


def read_outputs() -> dict[str, bytes]:
    found = {}
    for path in sorted(paths.EXPLAIN.rglob("*")):
        if path.is_file():
            found[str(path)] = path.read_bytes()
    return found


def test_writes_every_output_and_the_same_bytes_twice(project, capsys):
    write_inputs((8, 8, 8), spacing=[1.0, 1.0, 1.0])
    explain.main()
    first = read_outputs()
    found = read_document("saliency.json")
    pictures = [case["picture"] for case in found["cases"]]
    assert set(first) == {f"metrics/explain/{name}" for name in (*OUTPUTS, *pictures)}
    assert len(pictures) == 2
    assert found["model"] == "bagging"
    assert found["region"] == "ball of the diameter"
    assert found["lesions"] == 24
    for case in found["cases"]:
        assert case["part"] == "test"
    explain.main()
    assert read_outputs() == first
    assert "Grad-CAM of bagging: 0." in capsys.readouterr().out
    # No output names a patient or a folder of this machine.
    for content in first.values():
        assert b"p02" not in content
        assert str(project).encode() not in content


def test_the_auroc_of_clean_images_is_that_of_the_predictions(project):
    write_inputs((8, 8, 8))
    explain.main()
    table = pd.read_csv("metrics/predictions.csv").query("part == 'test'")
    benign = table.loc[table["label"] == "benign", "p_malignant"].to_numpy()
    malignant = table.loc[table["label"] == "malignant", "p_malignant"].to_numpy()
    expected = (malignant[:, None] > benign).mean()
    found = read_document("robustness.json")["auroc"]["value"]
    assert found == pytest.approx(expected, abs=1e-6)


def test_two_dimensions_without_a_spacing_have_pictures_but_no_regions(project):
    write_inputs((16, 16))
    explain.main()
    found = read_document("saliency.json")
    assert found["region"] is None
    assert found["methods"]["occlusion"] is None
    assert "slice thickness" not in (paths.EXPLAIN / "robustness.csv").read_text()
    assert len(list((paths.EXPLAIN / "maps").iterdir())) == 2


def test_masks_are_the_regions_if_there_are_any(project):
    masks = np.zeros((48, 8, 8), np.uint8)
    masks[:, 2:5, 2:5] = 1
    write_inputs((8, 8), [1.0, 1.0], masks)
    explain.main()
    found = read_document("saliency.json")
    assert found["region"] == "mask"
    # 3 · 3 of 8 · 8 pixels.
    assert found["uniform_share"] == pytest.approx(9 / 64, abs=1e-6)


def test_without_cases_there_are_no_pictures(project):
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("cases: 2", "cases: 0"))
    write_inputs((8, 8))
    explain.main()
    assert read_document("saliency.json")["cases"] == []
    assert not list((paths.EXPLAIN / "maps").iterdir())


def test_predictions_of_another_run_raise_an_error_and_keep_the_outputs(project):
    write_inputs((8, 8))
    explain.main()
    before = read_outputs()
    table = pd.read_csv("metrics/predictions.csv").assign(model="scratch")
    table.to_csv("metrics/predictions.csv", index=False)
    reseal(paths.METRICS_DOCUMENT)
    message = "predictions.csv: has no row of the model bagging, expected"
    with pytest.raises(InputError, match=message):
        explain.main()
    assert read_outputs() == before


def test_a_bit_flipped_in_what_it_reads_raises_an_error(project):
    write_inputs((8, 8))
    inputs = [*Path("data").rglob("*.*"), *paths.BEST.iterdir(), *paths.METRICS.iterdir()]
    assert len(inputs) == 8
    random = np.random.default_rng(2)
    for path in sorted(inputs):
        content = path.read_bytes()
        flip_bit(path, int(random.integers(len(content) // 2)), int(random.integers(8)))
        with pytest.raises(InputError, match=f"^{path}: ") as caught:
            explain.main()
        assert "\n" not in str(caught.value)
        path.write_bytes(content)


def change_predictions(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    table = change(pd.read_csv("metrics/predictions.csv"))
    table.to_csv("metrics/predictions.csv", index=False)
    reseal(paths.METRICS_DOCUMENT)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table[1:],
        lambda table: pd.concat([table[:1], table]),
        lambda table: table.assign(label="benign"),
        lambda table: table.assign(sample=table["sample"] + 1),
        lambda table: table.assign(part="test"),
    ],
    ids=["a case less", "a case twice", "other labels", "other samples", "other parts"],
)
def test_predictions_of_other_cases_raise_an_error(project, change):
    write_inputs((8, 8))
    change_predictions(change)
    with pytest.raises(InputError, match="^predictions.csv: bagging has .* cases of the part"):
        explain.main()


def test_the_best_model_must_be_the_one_that_the_metrics_chose(project):
    write_inputs((8, 8))
    change = {"hashes": {"models": {"bagging": "0" * 64}}}
    reseal(paths.METRICS_DOCUMENT, lambda metrics: metrics.update(change))
    with pytest.raises(InputError, match="^models/best/weights.safetensors: was changed after"):
        explain.main()
