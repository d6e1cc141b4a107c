"""Folders of pictures as people share them: duplicates, colours, strays, no validation part."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.data.domain import Domain
from stages import check, parameters, paths, preprocess, split

ROOT = Path(__file__).parents[2]
GREY_DOMAIN, COLOUR_DOMAIN = "chest", "breast"
CLASSES = {GREY_DOMAIN: ["NORMAL", "PNEUMONIA"], COLOUR_DOMAIN: ["benign", "malignant"]}
RULES = {"external": None, "test": 0.4, "validation": 0.2, "labelled": 1.0}


def speckle(seed: int) -> Image.Image:
    """A grey picture that differs for each seed, of a size of its own."""
    noise = np.random.default_rng(seed).integers(0, 256, (80 + seed % 9, 96), np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3))


def write_breast(folder: Path) -> None:
    """16 pictures of each class like those of BUSI, with coloured marks, strays and duplicates."""
    for number, label in enumerate(CLASSES[COLOUR_DOMAIN]):
        (folder / label).mkdir(parents=True)
        for lesion in range(1, 17):
            picture = speckle(100 * number + lesion).convert("RGB")
            if lesion % 4 == 0:
                picture.paste((255, 200, 0), (5, 5, 20, 15))
            picture.save(folder / label / f"{label} ({lesion}).png")
        (folder / label / "Thumbs.db").write_bytes(b"x")
    copies = ("benign (20).png", "benign (21).JPG", "benign (22).jpeg")
    for copy in copies:
        Image.open(folder / "benign/benign (3).png").save(folder / "benign" / copy, quality=90)
    (folder / "readme.txt").write_text("x")


def write_chest(folder: Path) -> None:
    """12 grey pictures of each class in train and 6 in test, one of them in both; no val."""
    for number, label in enumerate(CLASSES[GREY_DOMAIN]):
        for lesion in range(18):
            part = "train" if lesion < 12 else "test"
            (folder / part / label).mkdir(parents=True, exist_ok=True)
            picture = speckle(1000 + 100 * number + lesion)
            picture.save(folder / part / label / f"IM-{lesion:04}.png")
    twice = folder / "train/NORMAL/IM-0000.png"
    (folder / "test/NORMAL/IM-0012.png").write_bytes(twice.read_bytes())
    (folder / "train/.DS_Store").write_bytes(b"x")


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    write_breast(tmp_path / "raw" / COLOUR_DOMAIN)
    write_chest(tmp_path / "raw" / GREY_DOMAIN)
    content = YAML().load(ROOT / "params.yaml")
    former = content["domains"].pop("liver")
    content["domains"] = {}
    for name, classes in CLASSES.items():
        rules = former["split"] | RULES
        own = {"path": f"raw/{name}", "classes": classes, "window": [0, 255], "split": rules}
        content["domains"][name] = former | own
    content["source"] = content["pretrain"]["source"] = GREY_DOMAIN
    content["target"] = COLOUR_DOMAIN
    content["preprocess"] = {"patch": [32, 32], "spacing": [1.0, 1.0]}
    YAML().dump(content, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def set_parameter(name: str, key: str, value: str) -> None:
    content = YAML().load(Path("params.yaml"))
    section = content["domains"][name]
    *above, last = key.split(".")
    for part in above:
        section = section[part]
    section[last] = value
    YAML().dump(content, Path("params.yaml"))


def prepare(name: str) -> None:
    parameters.main()
    preprocess.main(name)
    split.main(name)


def read_parts(name: str) -> pd.Series:
    """The part of each file of a domain, by the table that its messages point to."""
    files = pd.read_csv(paths.file_names(name))["file"]
    table = pd.read_csv(paths.split(name), comment="#").set_index("sample")["part"]
    return pd.Series(table.reindex(range(len(files)), fill_value="").to_numpy(), index=files)


def test_one_parameter_resolves_the_duplicates_of_a_folder(project, capsys):
    with pytest.raises(InputError) as caught:
        prepare(COLOUR_DOMAIN)
    listing = ".graft/duplicates/breast.csv"
    message = str(caught.value)
    assert f"; {listing} lists all pairs; expected" in message
    assert "set domains.breast.split.duplicates to keep-first or drop" in message
    assert ".png" not in message  # the name of a file may be a patient's
    pairs = pd.read_csv(listing)
    assert {*pairs["first"], *pairs["second"]} == {
        "benign/benign (20).png",
        "benign/benign (21).JPG",
        "benign/benign (22).jpeg",
        "benign/benign (3).png",
    }
    assert set(pairs["label_first"]) == {"benign"}

    set_parameter(COLOUR_DOMAIN, "split.duplicates", "keep-first")
    capsys.readouterr()
    prepare(COLOUR_DOMAIN)
    printed = capsys.readouterr().out
    assert "3 left out as no picture: readme.txt, benign/Thumbs.db, malignant/Thumbs.db" in printed
    assert f"breast: 3 duplicates left out (keep-first); {listing} lists all pairs" in printed
    parts = read_parts(COLOUR_DOMAIN)
    assert parts["benign/benign (20).png"] != ""  # the first by name
    assert (parts == "").sum() == 3
    assert Domain.read(paths.processed(COLOUR_DOMAIN)).images.shape == (35, 3, 32, 32)


def test_an_official_test_part_stays_complete_and_train_gives_the_validation_part(project):
    set_parameter(GREY_DOMAIN, "split.duplicates", "keep-first")
    prepare(GREY_DOMAIN)
    parts = read_parts(GREY_DOMAIN)
    assert parts["train/NORMAL/IM-0000.png"] == ""
    assert parts["test/NORMAL/IM-0012.png"] == "test"
    given = parts.index.str.split("/").str[0]
    assert (parts[given == "test"] == "test").all()
    # round(0.2 · 12) = 2 of each class validate, perhaps one of them is the duplicate
    assert set(parts[given == "train"]) == {"train", "validation", ""}
    assert (parts == "validation").sum() in (3, 4)


def test_a_source_in_grey_and_a_target_in_colour_stop_the_check_until_one_parameter_is_set(project):
    for name in CLASSES:
        set_parameter(name, "split.duplicates", "drop")
        prepare(name)
    with pytest.raises(InputError) as caught:
        check.main()
    assert str(caught.value) == (
        "domains.chest and breast: the images have 1 channel (grey) in chest and 3 channels "
        "(colour) in breast, expected as many: set domains.breast.channels to grey, or "
        "domains.chest.channels to rgb"
    )
    assert not paths.LEAKS_CHECKED.exists()

    set_parameter(COLOUR_DOMAIN, "channels", "grey")
    prepare(COLOUR_DOMAIN)
    check.main()
    rows = json.loads(paths.CHECKS.read_text())["checks"]
    found = {(row["domain"], row["name"]): row["found"] for row in rows}
    assert found["breast", "images"].endswith("4 duplicates left out (drop)")
    assert found["chest", "given split"].endswith("of train that became the validation part")
    assert found["chest and breast", "channels"] == "1 channel in both"


def test_one_picture_in_two_classes_stops_the_run_even_within_a_part(project):
    source = project / "raw/breast/benign/benign (7).png"
    (project / "raw/breast/malignant/malignant (30).png").write_bytes(source.read_bytes())
    set_parameter(COLOUR_DOMAIN, "split.duplicates", "keep-first")
    message = r"has two labels, in 1 pair of images: benign#\d+ \(benign\) and malignant#"
    with pytest.raises(InputError, match=message):
        prepare(COLOUR_DOMAIN)
    pairs = pd.read_csv(".graft/duplicates/breast.csv")
    (row,) = pairs[pairs["label_first"] != pairs["label_second"]].to_dict("records")
    assert row["first"] == "benign/benign (7).png"
    assert row["second"] == "malignant/malignant (30).png"
    assert (row["label_first"], row["label_second"]) == ("benign", "malignant")
    assert not paths.split(COLOUR_DOMAIN).exists()


def write_medmnist(folder: Path, wrong_label: bool) -> None:
    """A MedMNIST file whose last test image is the first one of train."""
    arrays = {}
    for number, (part, count) in enumerate((("train", 12), ("val", 4), ("test", 6))):
        seeds = range(100 * number, 100 * number + count)
        images = [np.asarray(speckle(seed).resize((28, 28))) for seed in seeds]
        arrays[f"{part}_images"] = np.stack(images)
        arrays[f"{part}_labels"] = np.arange(count, dtype=np.uint8)[:, None] % 2
    arrays["test_images"][4] = arrays["train_images"][0]
    arrays["test_labels"][4] = int(wrong_label)
    folder.mkdir()
    np.savez_compressed(folder / "pneumoniamnist.npz", **arrays)


def test_duplicates_of_a_medmnist_file_leave_its_official_parts_as_they_are(project):
    write_medmnist(project / "raw/medmnist", wrong_label=False)
    set_parameter(GREY_DOMAIN, "path", "raw/medmnist")
    with pytest.raises(InputError, match=r"train:0 \(train\) and test:4 \(test\), identical"):
        prepare(GREY_DOMAIN)
    left_out = {"keep-first": [0], "drop": [0, 20]}
    for value, rows in left_out.items():
        set_parameter(GREY_DOMAIN, "split.duplicates", value)
        prepare(GREY_DOMAIN)
        given = pd.Series(["train"] * 12 + ["validation"] * 4 + ["test"] * 6).drop(rows)
        found = pd.read_csv(paths.split(GREY_DOMAIN), comment="#").set_index("sample")["part"]
        assert found.to_dict() == given.to_dict()
    (pair,) = pd.read_csv(paths.duplicates(GREY_DOMAIN)).to_dict("records")
    assert (pair["first"], pair["second"]) == ("train:0", "test:4")


def test_an_image_with_two_labels_in_a_medmnist_file_can_only_be_dropped(project):
    write_medmnist(project / "raw/medmnist", wrong_label=True)
    set_parameter(GREY_DOMAIN, "path", "raw/medmnist")
    for value in ("refuse", "keep-first"):
        set_parameter(GREY_DOMAIN, "split.duplicates", value)
        with pytest.raises(InputError, match=r"test:4 \(PNEUMONIA\), identical; .* to drop"):
            prepare(GREY_DOMAIN)
    set_parameter(GREY_DOMAIN, "split.duplicates", "drop")
    prepare(GREY_DOMAIN)
