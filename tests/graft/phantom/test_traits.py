"""Traits separate the classes as well as their loads imply."""

import pandas as pd
import pytest

from graft.phantom.cohort import size_auroc
from graft.phantom.traits import TRAITS

SHARED = ("spiculation", "lobulation", "edge", "heterogeneity")


@pytest.mark.parametrize("name", ["spiculation", "heterogeneity"])
def test_a_trait_has_the_auroc_of_its_load(many_patients, name):
    # A load of 0.6 and a separation of 3.3 give Phi(1.98 / sqrt 2) = 0.919. With 3 % mimics in each
    # class, a pair is as drawn in 0.9409 of cases, reversed in 0.0009, and even in the rest:
    # 0.9409 * 0.919 + 0.0009 * 0.081 + 0.0582 / 2 = 0.894.
    rows = []
    for patient in many_patients:
        for lesion in patient.lesions:
            rows.append((lesion.label, lesion.traits[name]))
    table = pd.DataFrame(rows, columns=["label", "diameter_mm"])
    assert size_auroc(table) == pytest.approx(0.894, abs=0.035)


@pytest.mark.parametrize("target", ["liver", "liver_mr"])
def test_traits_of_the_source_alone_are_weaker_than_shared_ones(target):
    # Otherwise training on the source would favour the traits that do not transfer.
    shared = [abs(TRAITS["lung"][name].load) for name in SHARED]
    own = []
    for name, trait in TRAITS["lung"].items():
        if name not in TRAITS[target]:
            own.append(abs(trait.load))
    assert len(own) >= 2
    assert max(own) < min(shared)
