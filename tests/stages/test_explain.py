"""The stage on real files: weights, images, a split and the tables that evaluate leaves."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.common.files import InputError
from graft.data.domain import Domain, write_domain
from graft.networks import saved
from graft.networks.build import build_network
from stages import explain, paths

ROOT = Path(__file__).parents[2]
CLASSES = ["benign", "malignant"]
OUTS = ("saliency.json", "robustness.json", "robustness.csv")


def lay_out(
    patch: tuple[int, ...], spacing: list[float] | None = None, masks: np.ndarray | None = None
) -> None:
    """A domain of 24 patients with two lesions each, a model, and the outputs of evaluate."""
    rng = np.random.default_rng(0)
    patient, labels = np.arange(48) // 2, np.array(CLASSES)[np.arange(48) % 2]
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
    about = {"spacing": spacing, "size": "diameter in mm" if spacing else "pixels"}
    images = rng.random((48, 1, *patch))
    write_domain(
        Path("data/processed/liver"), Domain("liver", images, index, CLASSES, about, masks=masks)
    )
    parts = np.array(["train", "validation", "test", "external"])[patient % 4]
    Path("data/splits").mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"sample": index["sample"], "part": parts}).to_csv(
        "data/splits/liver.csv", index=False
    )
    shape = {"name": "resnet", "patch": list(patch), "channels": 1, "classes": 2, "width": 8}
    paths.BEST.mkdir(parents=True, exist_ok=True)
    card = {"architecture": shape, "classes": CLASSES, "shares": [0.5, 0.5]}
    saved.save_model(paths.BEST, [build_network(**shape, seed=k) for k in range(2)], card)
    tested = np.isin(parts, ["test", "external"])
    p = saved.load_model(paths.BEST).predict(images[tested])
    table = index[tested].assign(
        part=parts[tested], model="bagging", p_benign=p[:, 0], p_malignant=p[:, 1]
    )
    table["predicted"] = np.array(CLASSES)[p.argmax(1)]
    paths.METRICS.mkdir(exist_ok=True)
    table.to_csv(paths.METRICS / "predictions.csv", index=False)
    (paths.METRICS / "metrics.json").write_text(json.dumps({"chosen": {"model": "bagging"}}))


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = (
        (ROOT / "params.yaml")
        .read_text(encoding="utf-8")
        .replace("resamples: 2000", "resamples: 100")
    )
    (tmp_path / "params.yaml").write_text(params.replace("cases: 6", "cases: 2"), encoding="utf-8")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # images this small are faster so on a busy machine
    yield tmp_path
    torch.set_num_threads(threads)


def read(name: str) -> dict:
    return json.loads((paths.EXPLAIN / name).read_text())


def everything() -> dict[str, bytes]:
    return {
        str(path): path.read_bytes() for path in sorted(paths.EXPLAIN.rglob("*")) if path.is_file()
    }


def test_leaves_every_out_and_the_same_bytes_twice(project, capsys):
    lay_out((8, 8, 8), spacing=[1.0, 1.0, 1.0])
    explain.main()
    first, found = everything(), read("saliency.json")
    pictures = [case["picture"] for case in found["cases"]]
    assert (
        set(first) == {f"metrics/explain/{name}" for name in (*OUTS, *pictures)}
        and len(pictures) == 2
    )
    assert (found["model"], found["region"], found["lesions"]) == (
        "bagging",
        "ball of the diameter",
        24,
    )
    assert all(case["part"] == "test" for case in found["cases"])
    explain.main()
    assert everything() == first
    assert "Grad-CAM of bagging: 0." in capsys.readouterr().out
    for content in first.values():
        assert b"p02" not in content and str(project).encode() not in content


def test_clean_images_score_what_the_weights_say(project):
    lay_out((8, 8, 8))
    explain.main()
    table = pd.read_csv("metrics/predictions.csv").query("part == 'test'")
    told = [table.loc[table["label"] == label, "p_malignant"].to_numpy() for label in CLASSES]
    expected = (told[1][:, None] > told[0]).mean()
    assert read("robustness.json")["auroc"]["value"] == pytest.approx(expected, abs=1e-6)


def test_pictures_without_a_place_or_a_spacing(project):
    lay_out((16, 16))
    explain.main()
    assert (
        read("saliency.json")["region"] is None
        and read("saliency.json")["methods"]["occlusion"] is None
    )
    assert "slice thickness" not in (paths.EXPLAIN / "robustness.csv").read_text()
    assert len(list((paths.EXPLAIN / "maps").iterdir())) == 2


def test_masks_are_the_regions_where_there_are_any(project):
    masks = np.zeros((48, 8, 8), np.uint8)
    masks[:, 2:5, 2:5] = 1
    lay_out((8, 8), [1.0, 1.0], masks)
    explain.main()
    assert read("saliency.json")["region"] == "mask"
    assert read("saliency.json")["uniform_share"] == pytest.approx(9 / 64, abs=1e-6)


def test_no_cases_are_no_pictures(project):
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("cases: 2", "cases: 0"))
    lay_out((8, 8))
    explain.main()
    assert read("saliency.json")["cases"] == [] and not list((paths.EXPLAIN / "maps").iterdir())


def test_predictions_of_another_run_are_one_line_and_leave_the_outs(project):
    lay_out((8, 8))
    explain.main()
    before = everything()
    table = pd.read_csv("metrics/predictions.csv").assign(model="scratch")
    table.to_csv("metrics/predictions.csv", index=False)
    with pytest.raises(
        InputError, match="predictions.csv: has no row of the model bagging, expected"
    ):
        explain.main()
    assert everything() == before
