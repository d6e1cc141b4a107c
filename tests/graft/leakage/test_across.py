"""Patients and images of the source that would evaluate a model on the target."""

import pytest

from graft.common.files import InputError
from graft.leakage.across import check_across
from tests.graft.leakage.examples import COPIES, make, with_column, with_image


@pytest.mark.parametrize("part", ["validation", "test", "external"])
def test_a_patient_of_the_source_would_evaluate_a_model_on_the_target(part):
    source, target = make("lung"), make("liver")
    ours, theirs = source.rows("train")[0], target.rows(part)[0]
    with pytest.raises(InputError) as caught:
        check_across(source, with_column(target, theirs, patient=f"lung-{ours}"))
    assert str(caught.value).startswith(
        "domains.lung and liver: 1 patient of lung in train or validation "
        "would be used to evaluate a model on liver: "
        f"manifest.csv:{ours + 2} (train) and manifest.csv:{theirs + 2} ({part}); expected"
    )


def test_cross_validation_would_test_a_patient_of_the_source():
    source, target = make("lung"), make("liver")
    ours, theirs = source.rows("train")[0], target.rows("train")[0]
    target = with_column(target, theirs, patient=f"lung-{ours}")
    check_across(source, target)
    with pytest.raises(InputError, match="would be used to evaluate a model on liver"):
        check_across(source, target, everybody=True)


@pytest.mark.parametrize("how", COPIES)
def test_an_image_of_the_source_would_evaluate_a_model_on_the_target(how):
    source, target = make("lung"), make("liver")
    ours, theirs = source.rows("validation")[0], target.rows("test")[0]
    copy = COPIES[how](source.domain.images[ours])
    with pytest.raises(
        InputError, match=f"1 image of lung .*manifest.csv:{ours + 2} \\(validation\\) .*{how}"
    ):
        check_across(source, with_image(target, theirs, copy))


def test_data_that_evaluates_no_model_may_be_in_both_domains():
    source, target = make("lung"), make("liver")
    ours, theirs = source.rows("train")[0], target.rows("train")[0]
    assert check_across(
        source, with_column(target, theirs, patient=f"lung-{ours}")
    )  # it trains twice and is never tested
    ours, theirs = source.rows("test")[0], target.rows("test")[0]
    assert check_across(
        source, with_image(target, theirs, source.domain.images[ours])
    )  # no model was trained on it
