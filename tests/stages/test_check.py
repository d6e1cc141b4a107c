"""The stage on real files, which leaves no output if there is a leak."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from graft.common.files import InputError, read_sealed
from graft.data import domain
from graft.data.domain import Domain
from graft.duplicates import fingerprints
from graft.leakage import rows
from stages import check, paths, split
from tests.processed import (
    edit_index,
    read_parts,
    write_parts,
    write_two_sites,
)
from tests.seals import reseal

ROOT = Path(__file__).parents[2]


def write_processed(name: str) -> None:
    """A processed domain of 40 patients with a lesion each, of two sites, and its split."""
    random = np.random.default_rng(len(name))
    write_two_sites(name, random.random((40, 1, 8, 8, 8)).astype(np.float16))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    parameters = YAML().load(ROOT / "params.yaml")
    parameters["domains"]["liver"]["split"] |= {"test": 0.4, "validation": 0.2, "labelled": 1.0}
    YAML().dump(parameters, tmp_path / "params.yaml")
    for name in ("lung", "liver"):
        write_processed(name)
    return tmp_path


def set_parameters(section: str, **values: object) -> None:
    yaml = YAML()
    parameters = yaml.load(Path("params.yaml"))
    parameters[section] |= values
    yaml.dump(parameters, Path("params.yaml"))


def test_a_share_without_a_patient_of_each_class_is_refused_before_any_training(project):
    set_parameters("learning_curve", shares=[0.5, 1e-9], draws=1)
    with pytest.raises(InputError, match=r"shares: got 1e-09, which is 0 of the target's \d+ pat"):
        check.main()
    assert not paths.LEAKS_CHECKED.exists()
    set_parameters("learning_curve", draws=0)
    check.main()
    set_parameters("learning_curve", shares=[0.5, 0.1], draws=1)
    check.main()


def test_more_folds_than_patients_are_refused_before_any_training(project):
    set_parameters("cross_validation", folds=41)
    with pytest.raises(InputError, match="folds: got 41, expected at most 40, "):
        check.main()
    assert not paths.LEAKS_CHECKED.exists()


def rows_of(name: str, part: str) -> list[int]:
    return np.flatnonzero(read_parts(name) == part).tolist()


def put_image(name: str, row: int, image: np.ndarray) -> None:
    """Replace an image, as if the raw data had contained it."""
    images = np.array(Domain.read(Path("data/processed") / name).images)
    images[row] = image
    write_images(name, images)


def write_images(name: str, images: np.ndarray) -> None:
    made = Domain.read(Path("data/processed") / name)
    parts = read_parts(name)
    index = made.index.assign(hash=fingerprints.fingerprint_images(images))
    changed = replace(made, images=images, index=index)
    domain.write_domain(Path("data/processed") / name, changed)
    write_parts(name, parts)


def image_of(name: str, row: int) -> np.ndarray:
    return np.array(Domain.read(Path("data/processed") / name).images[row])


def rename_patient(name: str, row: int, patient: str) -> None:
    edit_index(name, lambda table: table.update(pd.Series({row: patient}, name="patient")))


def move(name: str, row: int, part: str) -> None:
    parts = read_parts(name)
    parts[row] = part
    write_parts(name, parts)


def in_two_parts() -> str:
    tests = rows_of("liver", "test")[0]
    learns = rows_of("liver", "train")[0]
    rename_patient("liver", tests, f"liver{learns:02}")
    return rf"the patient liver{learns:02} is in test \(manifest.csv:{tests + 2}\) and in train"


def in_two_domains() -> str:
    known = rows_of("lung", "train")[0]
    rename_patient("liver", rows_of("liver", "test")[0], f"lung{known:02}")
    return "1 patient of lung in train or validation would be used to evaluate a model on liver:"


def an_image_twice() -> str:
    put_image("liver", *external_and_train_rows(labels=1))
    return r"the same picture is in two parts of the split, in 1 pair of images: .*, identical"


def an_image_with_two_labels() -> str:
    put_image("liver", *external_and_train_rows(labels=2))
    return r"the same picture has two labels, in 1 pair of images: .* \(benign\) and .*, identical"


def other_channels() -> str:
    colour = np.repeat(Domain.read(Path("data/processed/liver")).images, 3, axis=1)
    write_images("liver", colour)
    return (
        r"the images have 1 channel \(grey\) in lung and 3 channels \(colour\) in liver, expected "
        "as many: set domains.liver.channels to grey, or domains.lung.channels to rgb"
    )


def external_and_train_rows(labels: int) -> tuple[int, np.ndarray]:
    """A row of the external site, and a training image of the same label or of another one."""
    row = rows_of("liver", "external")[0]
    train = rows_of("liver", "train")
    other = next(one for one in train if (one % 2 == row % 2) == (labels == 1))
    return row, image_of("liver", other)


def a_mirrored_image_in_two_domains() -> str:
    put_image(
        "liver",
        rows_of("liver", "test")[0],
        image_of("lung", rows_of("lung", "train")[0])[:, :, ::-1],
    )
    return "1 image of lung in train or validation would be used to train or .*, mirrored"


def a_site_in_train() -> str:
    move("liver", rows_of("liver", "external")[0], "train")
    return r"wrong side of the external site 'site-b': manifest.csv:\d+ \(train\) of site-b"


def an_official_test_sample_in_train() -> str:
    parts = read_parts("liver")
    edit_index("liver", lambda table: table.update({"split": parts}))
    move("liver", rows_of("liver", "test")[0], "train")
    return r"left the part that the data gives: manifest.csv:\d+ \(train\), given test"


def a_fitted_normalisation() -> str:
    reseal(Path("data/processed/liver/domain.json"), lambda about: about.update(mean=0.5))
    return "domain.json has mean, which may have been fitted over samples"


def two_keys() -> str:
    folder = Path("data/processed/liver")
    made = Domain.read(folder)
    images = np.array(made.images)
    domain.write_domain(folder, replace(made, images=images, patient_key="1a2b3c4d"))
    return (
        r"domains.lung and liver: their pseudonyms were made with two keys \(unknown key; private"
    )


def a_training_image_in_two_domains() -> str:
    put_image("liver", rows_of("liver", "train")[0], image_of("lung", rows_of("lung", "train")[0]))
    return "1 image of lung in train or validation would be used to train or .*, identical"


def write_columns(name: str, **columns: object) -> None:
    """Give a processed domain covariates or tasks, as if its manifest had had them."""
    folder = Path("data/processed") / name
    made = Domain.read(folder)
    parts = read_parts(name)
    images = np.array(made.images)
    domain.write_domain(folder, replace(made, images=images, **columns))
    write_parts(name, parts)


def a_task_that_is_the_label() -> str:
    labels = Domain.read(Path("data/processed/lung")).index["label"]
    tasks = pd.DataFrame({"pathology": labels.map({"benign": "1", "malignant": "2"})})
    write_columns("lung", task_kinds={"pathology": "category"}, tasks=tasks)
    return "domains.lung.tasks.pathology: "


def a_covariate_that_is_a_task() -> str:
    rating = pd.DataFrame({"Margin": [str(k // 2 % 3) for k in range(40)]})
    write_columns("lung", task_kinds={"Margin": "ordinal"}, tasks=rating)
    covariates = rating.rename(columns=str.lower)
    write_columns("liver", kinds={"margin": "number"}, covariates=covariates)
    return "domains.liver.covariates.margin: is also domains.lung.tasks.Margin, expected "


LEAKS = [
    a_task_that_is_the_label,
    a_covariate_that_is_a_task,
    in_two_parts,
    in_two_domains,
    an_image_twice,
    an_image_with_two_labels,
    other_channels,
    a_mirrored_image_in_two_domains,
    a_training_image_in_two_domains,
    a_site_in_train,
    an_official_test_sample_in_train,
    a_fitted_normalisation,
    two_keys,
]


def test_a_clean_cohort_passes_with_the_same_bytes_twice(project, capsys):
    check.main()
    first = paths.CHECKS.read_bytes(), paths.LEAKS_CHECKED.read_bytes()
    check.main()
    assert (paths.CHECKS.read_bytes(), paths.LEAKS_CHECKED.read_bytes()) == first
    found = rows.read_checks(paths.CHECKS, "lung", "liver", [])
    assert rows.checks_document(found) == {"checks": found}
    names = [(row["name"], row["domain"]) for row in found]
    within = [(name, domain) for domain in ("lung", "liver") for name in rows.WITHIN]
    keys = [(name, domain) for name in rows.EACH for domain in ("lung", "liver")]
    assert names == within + keys + [(name, "lung and liver") for name in rows.ACROSS]
    assert "lung and liver: patients across: " in capsys.readouterr().out


def test_the_list_of_sources_has_the_candidates_and_no_folder_of_a_weight_file(project):
    parameters = YAML().load(Path("params.yaml"))
    parameters["domains"]["kidney"] = parameters["domains"]["lung"]
    parameters["sources"]["candidates"] = ["kidney"]
    parameters["pretrain"]["source"] = "/home/somebody/theirs.pth"
    YAML().dump(parameters, Path("params.yaml"))
    write_processed("kidney")
    check.main()
    assert read_sealed(paths.SOURCE_LIST) == {
        "theirs.pth": "models/pretrained",
        "kidney": "models/candidates/kidney",
    }


def test_a_source_that_is_not_trained_on_may_share_training_images(project):
    a_training_image_in_two_domains()
    parameters = YAML().load(Path("params.yaml"))
    parameters["pretrain"]["source"] = "imagenet"
    YAML().dump(parameters, Path("params.yaml"))
    check.main()
    assert paths.LEAKS_CHECKED.exists()


def test_a_target_that_is_its_own_source_is_refused_if_a_network_is_trained_on_it(project):
    parameters = YAML().load(Path("params.yaml"))
    parameters["source"] = parameters["pretrain"]["source"] = "liver"
    YAML().dump(parameters, Path("params.yaml"))
    with pytest.raises(InputError, match="patients of liver .* evaluate a model on liver"):
        check.main()
    assert not paths.LEAKS_CHECKED.exists()


@pytest.mark.parametrize("folds", [0, 2])
def test_a_target_that_is_its_own_source_may_start_from_weights_from_elsewhere(project, folds):
    parameters = YAML().load(Path("params.yaml"))
    parameters["source"] = "liver"
    parameters["pretrain"]["source"] = "imagenet"
    parameters["cross_validation"]["folds"] = folds
    YAML().dump(parameters, Path("params.yaml"))
    check.main()
    assert rows.read_checks(paths.CHECKS, "liver", "liver", [])


def test_the_gate_is_the_same_whatever_was_counted(project):
    check.main()
    gate = paths.LEAKS_CHECKED.read_bytes()
    report = paths.CHECKS.read_bytes()
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("labelled: 1.0", "labelled: 0.5"), encoding="utf-8")
    split.main("liver")
    split.main("lung")
    check.main()
    assert paths.LEAKS_CHECKED.read_bytes() == gate
    assert paths.CHECKS.read_bytes() != report


@pytest.mark.parametrize("plant", LEAKS)
def test_a_leak_raises_an_error_and_stops_the_pipeline(project, plant):
    check.main()
    before = paths.CHECKS.read_bytes()
    expected = plant()
    with pytest.raises(InputError, match=expected) as caught:
        check.main()
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)
    assert not paths.LEAKS_CHECKED.exists()
    assert paths.CHECKS.read_bytes() == before


def test_with_privacy_no_patient_may_train_on_both_domains(project):
    shared = rows_of("lung", "train")[0]
    mine = rows_of("liver", "train")[0]

    def share(index: pd.DataFrame) -> None:
        index.loc[mine, "patient"] = f"lung{shared:02}"

    edit_index("liver", share)
    check.main()
    set_parameters("privacy", epsilon=3.0)
    with pytest.raises(InputError, match="1 patient of lung .* also in liver, whose models train"):
        check.main()
    assert not paths.LEAKS_CHECKED.exists()


def test_it_imports_no_torch():
    code = "import sys; from stages import check; print('torch' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        ).stdout
        == "False\n"
    )
