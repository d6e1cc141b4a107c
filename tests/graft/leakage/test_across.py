"""Patients and images of the source that would evaluate a model on the target."""

import pytest

from graft.common.files import InputError
from graft.leakage.across import check_across
from tests.graft.leakage.examples import COPIES, make, with_column, with_image

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


@pytest.mark.parametrize("evidence", COPIES)
def test_a_source_image_that_would_evaluate_a_model_on_the_target_is_refused(evidence):
    source_row, target_row = rows_of("validation", "test")
    copy = COPIES[evidence](SOURCE.domain.images[source_row])
    target = with_image(TARGET, target_row, copy)
    place = rf"manifest.csv:{source_row + 2} \(validation\)"
    with pytest.raises(InputError, match=f"1 image of lung .*{place} .*{evidence}"):
        check_across(SOURCE, target)


def test_a_patient_may_train_both_models():
    source_row, target_row = rows_of("train", "train")
    target = with_column(TARGET, target_row, patient=f"lung-{source_row}")
    assert check_across(SOURCE, target)


def test_an_image_of_both_test_parts_is_allowed():
    source_row, target_row = rows_of("test", "test")
    image = SOURCE.domain.images[source_row]
    assert check_across(SOURCE, with_image(TARGET, target_row, image))
