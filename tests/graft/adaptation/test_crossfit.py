from dataclasses import replace

import numpy as np
import pytest

from graft.adaptation.adapt import adapt
from graft.adaptation.crossfit import CrossFit, first_within_error, standard_error
from graft.adaptation.fits import HEAD, INTENSITY, METHODS, NO_LABELS, NONE, PRIOR, Fitter
from graft.adaptation.site import UNKNOWN
from tests.graft.adaptation.sites import PATIENTS, by_median, make_predictor, make_site, mostly


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return make_predictor(tmp_path_factory.mktemp("model"))


def test_the_standard_error_is_over_patients():
    assert standard_error(np.array([1.0, 3.0]), np.array([0, 1])) == pytest.approx(1.0)
    # Two lesions of each patient, who agree: as many patients, the same error.
    assert standard_error(np.array([1.0, 1, 3, 3]), np.array([0, 0, 1, 1])) == pytest.approx(1.0)


def test_the_first_method_within_one_error_of_the_best_is_chosen():
    patients = np.arange(4)
    none = np.array([1.0, 1.0, 1.0, 1.0])
    better = np.array([0.9, 0.9, 0.9, 0.9])  # always: without an error
    noisy = np.array([0.0, 2.0, 0.0, 1.0])  # by 0.25 on average, with an error of 0.48
    assert first_within_error({"none": none, "head": noisy}, patients) == "none"
    assert first_within_error({"none": none, "prior": better}, patients) == "prior"
    assert first_within_error({"none": none, "prior": none}, patients) == "none"


def test_no_label_of_a_fold_has_an_influence_on_what_the_fold_is_scored_with(predictor):
    site = make_site(predictor, mostly)
    cross = CrossFit.of(Fitter.of(predictor, site), seed=0)
    fold = cross.numbers[0]
    flipped = np.where(cross.folds == fold, 1 - site.labels, site.labels)
    other = replace(cross, fitter=Fitter.of(predictor, replace(site, labels=flipped)))
    seen = cross.outside(fold)
    found = [one.adapt(one.first(None, seen), seen) for one in (cross, other)]
    assert found[0].method == found[1].method != NONE
    assert (found[0].points, found[0].quantiles) == (found[1].points, found[1].quantiles)
    assert (found[0].fit.calibrated == found[1].fit.calibrated).all()
    # The labels of the others do have one.
    outside = np.where(cross.folds != fold, 1 - site.labels, site.labels)
    changed = replace(cross, fitter=Fitter.of(predictor, replace(site, labels=outside)))
    against = changed.adapt(changed.first(None, seen), seen)
    assert (against.fit.calibrated != found[0].fit.calibrated).any()


def test_subsets_of_labels_are_nested_and_keep_patients_together(predictor):
    site = make_site(predictor, by_median)
    cross = CrossFit.of(Fitter.of(predictor, site), seed=0)
    seen = cross.outside(cross.numbers[0])
    sizes = [set(cross.first(count, seen)) for count in (0, 5, 11, None)]
    assert [len(found) for found in sizes] == [0, 6, 12, len(seen)]
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]
    for found in sizes:
        assert len({site.patients[number] for number in found}) * 2 == len(found)


def test_a_fold_has_all_lesions_of_its_patients(predictor):
    site = make_site(predictor, by_median, labelled=31)
    folds = CrossFit.of(Fitter.of(predictor, site), seed=0).folds
    for patient in range(PATIENTS):
        assert len(set(folds[site.patients == patient])) == 1
    assert set(folds[site.patients >= 16]) == {-1}  # nothing of them is labelled


def test_labels_that_contradict_the_prior_adapt_the_model(predictor):
    result = adapt(predictor, make_site(predictor, mostly), seed=0)
    document = result.document
    assert document["recommended"]
    assert document["sentence"].startswith(f"Adapt by {document['chosen']}: the log loss falls by")
    assert [entry["labels"] for entry in document["curve"]] == [0, 10, 20, 48]
    last = document["curve"][-1]
    gained = last["before"]["log_loss"]["value"] - last["after"]["log_loss"]["value"]
    assert last["gain"]["value"] == pytest.approx(gained, abs=2e-6)
    assert document == adapt(predictor, make_site(predictor, mostly), seed=0).document


def test_noise_adapts_nothing(predictor):
    random = np.random.default_rng(3)
    site = make_site(predictor, lambda disease: random.random(len(disease)) < disease)
    document = adapt(predictor, site, seed=0).document
    assert not document["recommended"]
    assert document["sentence"].startswith("Do not adapt")
    assert set(document["curve"][0]["methods"]) == {NONE}


def test_without_labels_nothing_changes_unless_it_can_be_told(predictor, tmp_path):
    site = make_site(predictor, by_median, labelled=0)
    assert adapt(predictor, site, seed=0).document["chosen"] == NONE
    darker = make_predictor(tmp_path, like_site=False)
    document = adapt(darker, make_site(darker, by_median, labelled=0), seed=0).document
    assert document["chosen"] == INTENSITY
    assert document["fitted"]["intensity"]["shift"] > 0
    assert not document["recommended"]
    assert document["curve"] == document["methods"] == []
    assert document["sentence"].startswith("Do not adapt yet: the intensities differ")
    assert "with no labels no benefit is measured. Label some scans" in document["sentence"]


@pytest.mark.parametrize(("labelled", "enough"), [(24, False), (32, True)])
def test_labels_count_if_those_outside_of_each_fold_can_choose(predictor, labelled, enough):
    document = adapt(predictor, make_site(predictor, mostly, labelled), seed=0).document
    assert bool(document["methods"]) is bool(document["curve"]) is enough
    if not enough:
        assert (document["chosen"], document["recommended"]) == (NONE, False)
        assert "with so few labels no benefit is measured" in document["sentence"]


def test_a_new_share_is_reported_and_not_used_without_labels(predictor):
    familiar = predictor.fitted.familiar
    reference = {**familiar.reference, "probability": [0.05] * 60}
    fitted = replace(predictor.fitted, familiar=replace(familiar, reference=reference))
    other = replace(predictor, fitted=fitted)
    document = adapt(other, make_site(other, by_median, labelled=0), seed=0).document
    assert document["prior"]["distinguishable"]
    assert document["prior"]["low"] > 0.05
    assert (document["chosen"], document["recommended"]) == (NONE, False)
    assert "It is not used" in document["sentence"]


def test_each_method_fits_only_what_it_may_see(predictor):
    site = make_site(predictor, by_median)
    fitter = Fitter.of(predictor, site)
    everything = np.arange(len(site))
    for method in METHODS:
        unlabelled = fitter.fit(method, NO_LABELS, everything)
        hidden = replace(site, labels=np.full(len(site), UNKNOWN))
        same = Fitter.of(predictor, hidden).fit(method, NO_LABELS, everything)
        assert (unlabelled.calibrated == same.calibrated).all()
    assert (fitter.fit(PRIOR, NO_LABELS, everything).raw == site.raw).all()


def test_new_heads_of_an_ensemble_follow_the_labels(tmp_path):
    predictor = make_predictor(tmp_path, members=2)
    site = make_site(predictor, lambda disease: disease < np.median(disease))
    fitter = Fitter.of(predictor, site)
    everything = np.arange(len(site))
    before = fitter.fit(NONE, NO_LABELS, everything).calibrated
    after = fitter.fit(HEAD, everything, everything).calibrated
    assert len(fitter.fit(HEAD, everything, everything).heads) == 2
    rows = np.arange(len(site))
    losses = [-np.log(found[rows, site.labels]).mean() for found in (before, after)]
    assert losses[1] < losses[0]
