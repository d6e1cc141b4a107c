import pandas as pd
import pytest

from benchmarks.adaptation import adapt_once, spread
from benchmarks.adaptation_sites import Pool, draw_lesions
from graft.adaptation.fits import Fitter
from tests.graft.adaptation.sites import make_predictor, make_site, mostly


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Pool:
    """48 lesions of 24 patients, nearly all of them malignant."""
    predictor = make_predictor(tmp_path_factory.mktemp("model"))
    return Pool("site", predictor, make_site(predictor, mostly), None, None)


def test_a_draw_has_whole_patients_and_nested_labels(pool):
    seen, labelled = draw_lesions(pool, 29, (0, 10, 20), 0)
    patients = pool.site.patients
    assert len(seen) == 30
    assert len(set(patients[seen])) == 15
    assert [len(found) for found in labelled.values()] == [0, 10, 20]
    assert set(labelled[10]) < set(labelled[20]) < set(seen)
    assert set(seen) != set(draw_lesions(pool, 29, (0,), 1)[0])


def test_the_new_model_is_scored_on_other_patients(pool):
    seen, labelled = draw_lesions(pool, 29, (0, 28), 0)
    fitter = Fitter.of(pool.predictor, pool.site)
    unlabelled = adapt_once(fitter, pool, seen, labelled[0])
    assert (unlabelled["method"], unlabelled["recommended"]) == ("none", False)
    assert unlabelled["adapted"] == unlabelled["written"] == unlabelled["before"]
    found = adapt_once(fitter, pool, seen, labelled[28])
    assert found["before"] == unlabelled["before"]
    assert found["adapted"] < found["before"]


def test_a_spread_is_a_mean_with_its_standard_error():
    assert spread(pd.Series([1.0, 3.0])) == "+2.000 ± 1.000"
