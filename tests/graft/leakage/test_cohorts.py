"""Each kind of leak, planted in a clean cohort: one line that names it, and none where there is none."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data import split
from graft.data.domain import Domain
from graft.data.settings import SplitRules
from graft.duplicates import fingerprints
from graft.leakage.cohorts import Cohort, across, within
from graft.leakage.rows import checks_document

CLASSES, SEED = ["benign", "malignant"], 42
ABOUT = {
    "patch": [8, 8, 8],
    "spacing": None,
    "window": [0, 1],
    "intensity": "window",
    "size": "voxels",
}


def make(
    name: str, external: str | None = "site-b", labelled: float = 1.0, given: bool = False
) -> Cohort:
    """40 patients with one lesion each, a quarter of them of site-b, divided as the stage `split` does."""
    count = np.arange(40)
    random = np.random.default_rng(len(name))
    images = random.random((40, 1, 8, 8, 8)).astype(np.float16)
    parts = np.array(["train", "train", "validation", "test", "test"])[count // 2 % 5]
    index = pd.DataFrame(
        {
            "sample": count,
            "patient": [f"{name}-{i}" for i in count],
            "label": np.array(CLASSES)[count % 2],
            "site": np.where(count // 2 % 4 == 0, "site-b", "site-a"),
            "split": parts if given else "",
            "origin": [f"manifest.csv:{i + 2}" for i in count],
            "size": 5.0,
            "hash": fingerprints.fingerprint_images(images),
        }
    )
    rules = SplitRules(external=external, test=0.3, validation=0.2, labelled=labelled)
    return Cohort(
        Domain(name, images, index, CLASSES, ABOUT),
        split.assign_parts(name, index, CLASSES, rules, SEED),
        rules,
    )


def with_image(cohort: Cohort, row: int, image: np.ndarray) -> Cohort:
    """The same with another image at a row."""
    images = cohort.domain.images.copy()
    images[row] = image
    index = cohort.domain.index.assign(hash=fingerprints.fingerprint_images(images))
    return replace(cohort, domain=replace(cohort.domain, images=images, index=index))


def with_column(cohort: Cohort, row: int, **cells: str) -> Cohort:
    index = cohort.domain.index.copy()
    for column, cell in cells.items():
        index.loc[row, column] = cell
    return replace(cohort, domain=replace(cohort.domain, index=index))


def moved(cohort: Cohort, row: int, part: str) -> Cohort:
    parts = cohort.parts.copy()
    parts[row] = part
    return replace(cohort, parts=parts)


def one_line(cohort: Cohort) -> str:
    with pytest.raises(InputError) as caught:
        within(cohort, SEED)
    assert (
        "\n" not in str(caught.value)
        and "domains.liver" in str(caught.value)
        and "expected" in str(caught.value)
    )
    return str(caught.value)


@pytest.mark.parametrize(
    "cohort",
    [{}, {"external": None}, {"labelled": 0.5}, {"given": True}, {"external": None, "given": True}],
)
def test_a_clean_cohort_raises_none_and_leaves_a_row_a_check(cohort):
    rows = within(make("liver", **cohort), SEED) + across(make("lung"), make("liver", **cohort))
    assert [row["name"] for row in rows] == [
        "patients",
        "images",
        "given split",
        "external site",
        "classes",
        "drawn parts",
        "normalisation",
        "patients across",
        "images across",
    ]
    assert checks_document(rows) == {"checks": rows}


def test_the_rows_say_what_was_looked_at_by_hand():
    told = {
        row["name"]: (row["looked_at"], row["found"])
        for row in within(make("liver", labelled=0.5), SEED)
    }
    # 10 of 40 at site-b; of 15 of each class: round(4.5) = 4 test, 3 validate, 8 train; of these 2 and 4 keep their label
    assert told["patients"] == ("30 patients in 4 parts", "none in two parts")
    assert told["drawn parts"] == (
        "40 lesions",
        "as the rules and the seed draw them; 10 labels unused, in no part",
    )
    assert told["external site"] == (
        "10 lesions of site-b",
        "all of site-b in the part external, none elsewhere",
    )


def test_a_patient_in_two_parts():
    cohort = make("liver")
    learns, tests = cohort.rows("train")[0], cohort.rows("test")[0]
    told = one_line(with_column(cohort, tests, patient=f"liver-{learns}"))
    assert (
        f"the patient liver-{learns} is in test (manifest.csv:{tests + 2}) and in train (manifest.csv:{learns + 2})"
        in told
    )


COPIES = {
    "identical": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "coarse correlation": lambda image: np.clip(
        1.1 * (image + 0.02 * np.random.default_rng(1).standard_normal(image.shape)), 0, 1
    ),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("part", ["validation", "test", "external"])
def test_an_image_twice(how, part):
    cohort = make("liver")
    learns, judges = cohort.rows("train")[0], cohort.rows(part)[0]
    told = one_line(with_image(cohort, judges, COPIES[how](cohort.domain.images[learns])))
    assert (
        f"manifest.csv:{learns + 2} (train)" in told
        and f"manifest.csv:{judges + 2} ({part})" in told
        and how in told
    )


def test_an_official_test_sample_in_train():
    cohort = make("liver", given=True)
    row = cohort.rows("test")[0]
    told = one_line(moved(cohort, row, "train"))
    assert (
        f"1 lesion left the part that the data gives: manifest.csv:{row + 2} (train), given test; expected"
        in told
    )


def test_an_official_test_sample_left_out():
    cohort = make("liver", given=True)
    assert "(unused), given test" in one_line(moved(cohort, cohort.rows("test")[0], ""))


@pytest.mark.parametrize("part", ["train", ""])
def test_a_patient_of_the_external_site_elsewhere(part):
    cohort = make("liver")
    row = cohort.rows("external")[0]
    told = one_line(moved(cohort, row, part))
    assert (
        f"wrong side of the external site 'site-b': manifest.csv:{row + 2} ({part or 'unused'}) of site-b"
        in told
    )


def test_a_patient_of_another_site_in_external():
    cohort = make("liver")
    assert "(external) of site-a" in one_line(moved(cohort, cohort.rows("train")[0], "external"))


def test_a_part_without_a_class():
    cohort = make("liver")
    healthy = [row for row in cohort.rows("test") if row % 2 == 0]
    for row in healthy:
        cohort = moved(cohort, row, "train")
    assert "the part test has none of the 20 patients with the class 'benign'" in one_line(cohort)


def test_a_label_that_is_not_to_be_used():
    cohort = make("liver", labelled=0.5)
    row = np.flatnonzero(cohort.parts == "")[0]
    assert f"manifest.csv:{row + 2} (train), drawn unused; expected" in one_line(
        moved(cohort, row, "train")
    )


def test_a_hard_case_left_out_of_the_test():
    cohort = make("liver")
    row = cohort.rows("test")[0]
    assert (
        f"1 lesion not in the part that the rules and the seed draw: manifest.csv:{row + 2} (unused), drawn test"
        in one_line(moved(cohort, row, ""))
    )


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"intensity": "dataset"}, "normalised by 'dataset' and"),
        ({"window": [0.4]}, "normalised by 'window' and"),
        (
            {"mean": 0.3, "std": 0.1},
            "domain.json has mean, std, of which nobody knows what it was fitted on",
        ),
    ],
)
def test_a_normalisation_that_was_fitted_over_samples(about, message):
    cohort = make("liver")
    assert message in one_line(
        replace(cohort, domain=replace(cohort.domain, preprocessing=ABOUT | about))
    )


@pytest.mark.parametrize("part", ["validation", "test", "external"])
def test_a_patient_of_the_source_who_judges_a_model_of_the_target(part):
    source, target = make("lung"), make("liver")
    ours, theirs = source.rows("train")[0], target.rows(part)[0]
    with pytest.raises(InputError) as caught:
        across(source, with_column(target, theirs, patient=f"lung-{ours}"))
    assert str(caught.value).startswith(
        "domains.lung and liver: 1 patient of lung in train or validation would judge a model on liver: "
        f"manifest.csv:{ours + 2} (train) and manifest.csv:{theirs + 2} ({part}); expected"
    )


def test_a_patient_of_the_source_whom_cross_validation_would_test():
    source, target = make("lung"), make("liver")
    ours, theirs = source.rows("train")[0], target.rows("train")[0]
    target = with_column(target, theirs, patient=f"lung-{ours}")
    across(source, target)
    with pytest.raises(InputError, match="would judge a model on liver"):
        across(source, target, everybody=True)


@pytest.mark.parametrize("how", COPIES)
def test_an_image_of_the_source_that_judges_a_model_of_the_target(how):
    source, target = make("lung"), make("liver")
    ours, theirs = source.rows("validation")[0], target.rows("test")[0]
    copy = COPIES[how](source.domain.images[ours])
    with pytest.raises(
        InputError, match=f"1 image of lung .*manifest.csv:{ours + 2} \\(validation\\) .*{how}"
    ):
        across(source, with_image(target, theirs, copy))


def test_what_judges_nobody_may_be_in_both_domains():
    source, target = make("lung"), make("liver")
    ours, theirs = source.rows("train")[0], target.rows("train")[0]
    assert across(
        source, with_column(target, theirs, patient=f"lung-{ours}")
    )  # learnt twice, tested never
    ours, theirs = source.rows("test")[0], target.rows("test")[0]
    assert across(
        source, with_image(target, theirs, source.domain.images[ours])
    )  # no model has learnt from it
