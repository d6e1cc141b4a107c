"""Patients and images of the source that would evaluate a model on the target."""

from dataclasses import replace

import numpy as np
import pytest

from graft.common.files import InputError
from graft.leakage.across import check_across, check_private_patients
from graft.leakage.rows import UNKNOWN_PATIENTS
from tests.graft.leakage.examples import (
    COPIES,
    HALF_LABELLED,
    NO_VALIDATION,
    make,
    with_column,
    with_image,
)

SOURCE = make("lung")
TARGET = make("liver")


def rows_of(source_part: str, target_part: str) -> tuple[int, int]:
    """The first row of a part of the source, and that of a part of the target."""
    return SOURCE.rows(source_part)[0], TARGET.rows(target_part)[0]


@pytest.mark.parametrize("part", ["validation", "test", "external"])
def test_a_source_patient_that_would_evaluate_a_model_on_the_target_is_refused(part):
    source_row, target_row = rows_of("train", part)
    target = with_column(TARGET, target_row, patient=f"lung-{source_row}")
    with pytest.raises(InputError) as caught:
        check_across(SOURCE, target)
    assert str(caught.value).startswith(
        "domains.lung and liver: 1 patient of lung in train or validation "
        "would be used to evaluate a model on liver: "
        f"manifest.csv:{source_row + 2} (train) and manifest.csv:{target_row + 2} ({part}); "
        "expected"
    )


def test_a_source_patient_that_cross_validation_would_test_is_refused():
    source_row, target_row = rows_of("train", "train")
    target = with_column(TARGET, target_row, patient=f"lung-{source_row}")
    check_across(SOURCE, target)
    with pytest.raises(InputError, match="would be used to evaluate a model on liver"):
        check_across(SOURCE, target, everybody=True)


def test_a_source_patient_that_would_be_predicted_out_of_fold_is_refused():
    target = make("liver", NO_VALIDATION)
    source_row, target_row = SOURCE.rows("train")[0], target.rows("train")[0]
    target = with_column(target, target_row, patient=f"lung-{source_row}")
    with pytest.raises(InputError, match="would be used to evaluate a model on liver"):
        check_across(SOURCE, target)
    check_across(SOURCE, target, trains=False)  # the network comes from elsewhere


@pytest.mark.parametrize("part", ["train", "validation", "test", "external"])
@pytest.mark.parametrize("evidence", COPIES)
def test_an_image_that_trains_on_the_source_is_refused_in_every_part_of_the_target(evidence, part):
    source_row, target_row = rows_of("validation", part)
    copy = COPIES[evidence](SOURCE.domain.images[source_row])
    target = with_image(TARGET, target_row, copy)
    place = rf"manifest.csv:{source_row + 2} \(validation\)"
    with pytest.raises(InputError, match=f"1 image of lung .*{place} .*{evidence}"):
        check_across(SOURCE, target)


def test_a_patient_may_train_both_models():
    source_row, target_row = rows_of("train", "train")
    target = with_column(TARGET, target_row, patient=f"lung-{source_row}")
    patients, images = check_across(SOURCE, target)
    assert patients["found"] == "none in both; 1 patient in the training of both"
    assert images["found"] == "none in both, nor a near copy"


def test_the_same_data_under_two_names_is_refused_though_its_split_is_the_same():
    source = make("lung", given=True)
    index = source.domain.index.assign(patient=[f"liver-{row}" for row in range(40)])
    target = replace(source, domain=replace(source.domain, name="liver", index=index))
    trained_on = len(source.rows("train", "validation"))
    with pytest.raises(InputError, match=f"{trained_on} images of lung .*, identical"):
        check_across(source, target)


def test_an_image_whose_label_the_target_does_not_use_is_allowed():
    target = make("liver", HALF_LABELLED)
    unused = np.flatnonzero(target.parts == "")[0]
    image = SOURCE.domain.images[SOURCE.rows("train")[0]]
    assert check_across(SOURCE, with_image(target, unused, image))


def test_an_image_of_both_test_parts_is_allowed():
    source_row, target_row = rows_of("test", "test")
    image = SOURCE.domain.images[source_row]
    assert check_across(SOURCE, with_image(TARGET, target_row, image))


def test_unknown_patients_are_not_counted():
    target = replace(TARGET, domain=replace(TARGET.domain, patients_known=False))
    patients, _ = check_across(SOURCE, target)
    assert patients["found"] == UNKNOWN_PATIENTS
    assert "lesions for training" in patients["looked_at"]


def test_a_private_patient_who_is_also_trained_on_in_the_target_is_refused():
    source_row, target_row = rows_of("train", "train")
    target = with_column(TARGET, target_row, patient=f"lung-{source_row}")
    check_across(SOURCE, target)  # possible without privacy
    with pytest.raises(InputError, match="1 patient of lung in train or validation also in liver"):
        check_private_patients(SOURCE, target)
    assert check_private_patients(SOURCE, TARGET)["passed"]
