"""The attack on a model that was trained for hundreds of epochs on a few phantom lesions."""

from dataclasses import replace

import numpy as np
import pytest

from graft.ingest.read import read_raw_domain
from graft.membership.attack import attack_model
from graft.membership.patients import choose_patients
from graft.phantom.cohort import write_cohort
from graft.transfer.start import fit_start
from tests.graft.membership.cohort import PARAMETERS, as_model, start_of

MEMBERS, PATIENTS = 16, 90


@pytest.mark.slow  # its fast twin is in test_attack.py, on images of noise
def test_it_succeeds_on_a_model_that_was_overfitted_to_phantom_lesions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_cohort(tmp_path / "raw", "lung", PATIENTS, seed=5)
    settings, preprocess = PARAMETERS.domains["lung"], PARAMETERS.preprocess
    raw = tmp_path / "raw"
    domain = read_raw_domain(
        "lung", settings, preprocess, PARAMETERS.privacy, path=raw, synthetic=True
    )
    index = domain.index
    inside = index["patient"][index["site"] != settings.split.external].unique()
    parts = {
        "train": np.flatnonzero(index["patient"].isin(inside[:MEMBERS])),
        "test": np.flatnonzero(index["patient"].isin(inside[MEMBERS:])),
    }
    people = choose_patients(domain, parts)
    start, plan, task = start_of(domain, people)
    overfitted = replace(plan, recipe=plan.recipe.model_copy(update={"epochs": 200}))
    fit_start(start, task, overfitted, show=False)
    found = attack_model(as_model(start), domain, people, 0.95)
    assert found["members"] == MEMBERS
    assert found["auc"]["value"] > 0.8
    assert found["succeeds"]
