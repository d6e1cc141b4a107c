"""Subgroups: who is in which, what is compared with what, and when a gap is flagged."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.subgroups import LEAST, groups, score_subgroups
from graft.statistics.cases import Cases, assess

CLASSES = ["benign", "malignant"]
PARTS = ("train", "validation", "test")
COUNT = 40  # patients of each part, with two lesions each


def study(kept: dict | None = None, external: bool = False) -> EvaluatedDomain:
    """Alternate sites a and b, sizes 1 to 80 in each part, every second pair malignant."""
    parts = PARTS + (("external",) if external else ())
    total = len(parts) * COUNT * 2
    patient, place = np.arange(total) // 2, np.arange(total) % (COUNT * 2)
    index = pd.DataFrame(
        {
            "sample": np.arange(total),
            "patient": [f"p{i}" for i in patient],
            "label": np.array(CLASSES)[patient // 2 % 2],
            "site": np.where(patient % 2, "b", "a"),
            "split": "",
            "origin": "",
            "size": place + 1.0,
        }
    )
    rows = {
        part: np.flatnonzero(np.arange(total) // (COUNT * 2) == at) for at, part in enumerate(parts)
    }
    if external:
        index.loc[rows["external"], "site"] = "c"
    cases = {
        part: Cases.of(
            index.iloc[found],
            CLASSES,
            200 if part in ("test", "external") else 0,
            generator(0, part),
        )
        for part, found in rows.items()
        if part != "train"
    }
    table = (
        None if kept is None else pd.DataFrame({name: make(index) for name, make in kept.items()})
    )
    return EvaluatedDomain(
        Domain("liver", np.zeros((total, 1)), index, CLASSES, {}, groups=table), rows, cases
    )


def model(made: EvaluatedDomain, blind: str | None = None):
    """Predicts the label with noise; on the site `blind` it predicts at random."""
    probabilities = {}
    for part, cases in made.cases.items():
        random = np.random.default_rng(len(part))
        known = cases.labels * (
            0.5 if blind is None else 0.5 * (cases.rows["site"].to_numpy() != blind)
        )
        disease = (0.25 + known + random.normal(0, 0.2, len(cases.labels))).clip(0, 1)
        probabilities[part] = np.stack([1 - disease, disease], axis=1)
    return assess(made.cases, probabilities)


def rows(
    made: EvaluatedDomain, found, by: str | None = None, confidence: float = 0.95
) -> list[dict]:
    return [
        row
        for row in score_subgroups(made, "bagging", found, confidence)["rows"]
        if by in (None, row["by"])
    ]


def test_the_scores_are_those_of_the_groups_own_cases_and_the_gap_is_to_all_others():
    made = study()
    found = model(made)
    labels, disease = made.cases["test"].labels, found.probabilities["test"][:, 1]
    inside = made.cases["test"].rows["site"].to_numpy() == "a"
    here, others = (roc_auc_score(labels[side], disease[side]) for side in (inside, ~inside))
    row = rows(made, found, "site")[0]
    assert (row["group"], row["patients"], row["lesions"]) == ("a", 20, 40)
    assert row["auroc"]["value"] == pytest.approx(here) and row["gap"]["value"] == pytest.approx(
        here - others
    )
    called = disease[inside & (labels == 1)] >= found.threshold
    assert row["sensitivity"]["value"] == pytest.approx(called.mean())
    assert row["auroc"]["low"] < here < row["auroc"]["high"] and row["gap"]["left_out"] == 0


def test_two_groups_have_opposite_gaps():
    one, other = (row["gap"] for row in rows(study(), model(study()), "site"))
    assert one["value"] == pytest.approx(-other["value"]) and one["low"] == pytest.approx(
        -other["high"]
    )
    assert one["p"] == other["p"]


def test_a_model_that_is_blind_on_one_site_is_flagged_there_and_a_fair_one_is_nowhere():
    made = study()
    flagged = [
        (row["group"], row["flagged"]) for row in rows(made, model(made, blind="b"), "site", 0.9)
    ]
    assert flagged == [("a", True), ("b", True)]
    assert rows(made, model(made, blind="b"), "site")[1]["gap"]["high"] < -0.2
    assert not any(row["flagged"] for row in rows(made, model(made)))


def test_a_flag_needs_more_than_a_p_value_of_its_own():
    made = study({"sex": lambda index: np.where(index["sample"] // 2 % 3, "F", "M")})
    told = rows(made, model(made, blind="b"))
    for row in told:
        assert row["gap"]["p_holm"] >= row["gap"]["p"] and row["flagged"] == (
            row["gap"]["p_holm"] < 0.05
        )
    assert any(row["gap"]["p_holm"] > row["gap"]["p"] for row in told)


def test_limits_of_size_come_from_the_training_part():
    made = study()
    names = [(name, inside.sum()) for by, name, inside in groups(made, "test") if by == "size"]
    assert names == [("up to 27.3", 27), ("27.3 to 53.7", 26), ("above 53.7", 27)]
    sizes = made.domain.index["size"].copy()
    sizes[made.rows["test"]] *= 100
    index = made.domain.index.assign(size=sizes)
    cases = {
        part: replace(found, rows=index.loc[found.rows.index]) for part, found in made.cases.items()
    }
    moved = EvaluatedDomain(replace(made.domain, index=index), made.rows, cases)
    assert [(name, inside.sum()) for by, name, inside in groups(moved, "test") if by == "size"] == [
        ("up to 27.3", 0),
        ("27.3 to 53.7", 0),
        ("above 53.7", 80),
    ]
    assert [row["group"] for row in rows(moved, model(made), "size")] == ["above 53.7"]


def test_every_case_is_in_one_group_of_a_kind_at_most_and_what_is_not_known_in_none():
    made = study(
        {
            "age": lambda index: np.where(
                index["sample"] % 4 < 2, "", np.where(index["size"] > 40, "70s", "60s")
            ),
            "scanner": lambda index: np.full(len(index), "Aquilion ONE"),
        }
    )
    counted = {}
    for by, _, inside in groups(made, "test"):
        counted[by] = counted.get(by, 0) + inside
    assert (
        counted["size"].tolist()
        == counted["site"].tolist()
        == counted["scanner"].tolist()
        == [1] * 80
    )
    assert counted["age"].sum() == 40 and counted["age"].max() == 1
    assert [by for by, _, _ in groups(made, "test")] == ["site"] * 2 + ["scanner"] + [
        "size"
    ] * 3 + ["age"] * 2


def test_equal_sizes_and_empty_sites_make_no_groups():
    made = study()
    index = made.domain.index.assign(size=7.0, site="")
    cases = {
        part: replace(found, rows=index.loc[found.rows.index]) for part, found in made.cases.items()
    }
    assert score_subgroups(
        EvaluatedDomain(replace(made.domain, index=index), made.rows, cases),
        "bagging",
        model(made),
        0.95,
    ) == {"model": "bagging", "rows": []}


def test_a_group_with_too_few_patients_of_a_class_has_the_scores_that_it_can_have():
    malignant = np.arange(COUNT * 2) // 4 % 2 == 1

    def sexes(index):
        cells = np.full(len(index), "F", dtype=object)
        test = cells[COUNT * 4 :]
        test[np.flatnonzero(malignant)[: 2 * LEAST - 2]] = "M"  # LEAST - 1 malignant patients
        test[np.flatnonzero(~malignant)[: 2 * LEAST]] = "M"  # LEAST benign ones
        return cells

    few, others = reversed(rows(study({"sex": sexes}), model(study()), "sex"))
    assert (
        few["patients"] == 2 * LEAST - 1
        and few["auroc"] is few["sensitivity"] is few["gap"] is None
    )
    assert few["specificity"]["value"] is not None and few["flagged"] is False
    assert (
        others["auroc"] is not None and others["gap"] is None
    )  # there are no others to compare with


def test_the_external_site_stands_beside_the_internal_ones():
    made = study(external=True)
    found = rows(made, model(made), "site")
    assert [(row["part"], row["group"]) for row in found] == [
        ("test", "a"),
        ("test", "b"),
        ("external", "c"),
    ]
    assert found[2]["auroc"]["value"] and found[2]["gap"] is None
