"""The tables of `benchmarks.attacks`, from figures that an earlier call kept."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import attacks
from benchmarks.attack_trials import Trial, draw_patients
from graft.common.files import write_json
from graft.config.parameters import load_parameters
from graft.data.domain import Domain

ROOT = Path(__file__).parents[2]
FIGURES = {"auc": 0.7, "tpr": 0.1, "auroc": 0.8}


def test_kept_figures_become_the_table_and_the_comparisons(tmp_path, capsys):
    for arm in attacks.ARMS:
        for draw in range(2):
            path = Trial(arm, draw, tmp_path, tmp_path).result
            write_json(path, FIGURES | {"auc": 0.6 + 0.2 * draw})
    attacks.main(tmp_path, draws=2, workdir=tmp_path)
    printed = capsys.readouterr().out
    assert "| default | 20 | 0.700 ± 0.100 | 0.100 ± 0.000 | – | – | 0.800 ± 0.000 |" in printed
    assert "| private, ε = 1 | 100 | 0.700 ± 0.100 | 0.100 ± 0.000 | 0.731 | 0.027 |" in printed
    assert (
        "overfitted, 20 patients: graft 0.7, guessing 0.5; ratio 1.4; aim at least 0.8: missed"
        in (printed)
    )


def test_lira_is_compared_with_the_loss_threshold_on_the_same_models(tmp_path, capsys):
    lira = {f"{name} {count}": 0.5 for name in ("auc", "tpr") for count in (2, 3)}
    for draw in range(2):
        write_json(Trial(attacks.DEFAULT, draw, tmp_path, tmp_path, True).result, FIGURES | lira)
    attacks.main(tmp_path, shadows=True, draws=2, workdir=tmp_path)
    row = "| default | LiRA, offline, 2 shadow models | 0.500 ± 0.000 | -0.200 ± 0.000 | 0.500"
    assert row in capsys.readouterr().out


@pytest.mark.parametrize("seed", [0, 1])
def test_members_and_others_are_different_patients_of_one_site(seed):
    patients = np.repeat([f"p{i}" for i in range(40)], 2)
    site = np.where(np.arange(80) < 20, "site-b", "site-a")
    index = pd.DataFrame({"patient": patients, "site": site})
    domain = Domain("lung", np.zeros((80, 1, 2, 2)), index, ["benign", "malignant"], {})
    parameters = load_parameters(ROOT / "params.yaml")  # site-b is the external one
    parts = draw_patients(domain, parameters, 5, 10, seed)
    members, others = (set(patients[parts[part]]) for part in ("train", "test"))
    assert (len(members), len(others)) == (5, 10)
    assert not members & others
    assert set(site[np.concatenate(list(parts.values()))]) == {"site-a"}
