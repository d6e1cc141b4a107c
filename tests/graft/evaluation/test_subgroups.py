"""Subgroups: their members, their comparison with all others, and when a gap is flagged."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.subgroups import LEAST, groups, score_subgroups
from graft.statistics.cases import Assessment, Cases, assess

CLASSES = ["benign", "malignant"]
PARTS = ("train", "validation", "test")
COUNT = 40  # patients of each part, with two lesions each


PLACES = COUNT * 2  # lesions of each part


def study(covariates: dict | None = None, external: bool = False) -> EvaluatedDomain:
    """Alternate sites a and b, sizes 1 to 80 in each part, every second pair malignant.

    Args:
        covariates: For each covariate, a function that makes its values from the index.
        external: Whether to add an external part, with the site c.
    """
    parts = (*PARTS, "external") if external else PARTS
    total = len(parts) * PLACES
    lesion = np.arange(total)
    patient = lesion // 2
    index = pd.DataFrame(
        {
            "sample": lesion,
            "patient": [f"p{i}" for i in patient],
            "label": np.array(CLASSES)[patient // 2 % 2],
            "site": np.where(patient % 2, "b", "a"),
            "split": "",
            "origin": "",
            "size": lesion % PLACES + 1.0,
        }
    )
    rows = {}
    for position, part in enumerate(parts):
        rows[part] = np.flatnonzero(lesion // PLACES == position)
    if external:
        index.loc[rows["external"], "site"] = "c"
    cases = {}
    for part, positions in rows.items():
        if part != "train":
            resamples = 0 if part == "validation" else 200
            of_part = index.iloc[positions]
            cases[part] = Cases.of(of_part, CLASSES, resamples, generator(0, part))
    groups_table = None
    if covariates is not None:
        columns = {name: make(index) for name, make in covariates.items()}
        groups_table = pd.DataFrame(columns)
    domain = Domain("liver", np.zeros((total, 1)), index, CLASSES, {}, groups=groups_table)
    return EvaluatedDomain(domain, rows, cases)


def with_columns(made: EvaluatedDomain, **columns) -> EvaluatedDomain:
    """The same study with other columns of the index."""
    index = made.domain.index.assign(**columns)
    cases = {}
    for part, of_part in made.cases.items():
        cases[part] = replace(of_part, rows=index.loc[of_part.rows.index])
    return EvaluatedDomain(replace(made.domain, index=index), made.rows, cases)


def noisy_model(made: EvaluatedDomain, uninformed_site: str | None = None) -> Assessment:
    """A model that predicts the label with noise, and only noise on the uninformed site."""
    probabilities = {}
    for part, cases in made.cases.items():
        random = np.random.default_rng(len(part))
        is_informed = cases.rows["site"].to_numpy() != uninformed_site
        signal = 0.5 * cases.labels * is_informed
        noise = random.normal(0, 0.2, len(cases.labels))
        disease = (0.25 + signal + noise).clip(0, 1)
        probabilities[part] = np.stack([1 - disease, disease], axis=1)
    return assess(made.cases, probabilities)


def subgroup_rows(
    made: EvaluatedDomain,
    model: Assessment,
    by: str | None = None,
    confidence: float = 0.95,
) -> list[dict]:
    """The rows of one kind of group, or all."""
    rows = score_subgroups(made, "bagging", model, confidence)["rows"]
    if by is None:
        return rows
    return [row for row in rows if row["by"] == by]


def test_the_scores_are_of_the_groups_own_cases_and_the_gap_is_to_all_others():
    made = study()
    model = noisy_model(made)
    labels = made.cases["test"].labels
    disease = model.probabilities["test"][:, 1]
    inside = made.cases["test"].rows["site"].to_numpy() == "a"
    auroc_inside = roc_auc_score(labels[inside], disease[inside])
    auroc_outside = roc_auc_score(labels[~inside], disease[~inside])
    row = subgroup_rows(made, model, "site")[0]
    assert row["group"] == "a"
    assert row["patients"] == 20
    assert row["lesions"] == 40
    assert row["auroc"]["value"] == pytest.approx(auroc_inside)
    assert row["auroc"]["low"] < auroc_inside < row["auroc"]["high"]
    assert row["gap"]["value"] == pytest.approx(auroc_inside - auroc_outside)
    assert row["gap"]["left_out"] == 0
    called = disease[inside & (labels == 1)] >= model.threshold
    assert row["sensitivity"]["value"] == pytest.approx(called.mean())


def test_two_groups_have_opposite_gaps():
    made = study()
    a, b = subgroup_rows(made, noisy_model(made), "site")
    assert a["gap"]["value"] == pytest.approx(-b["gap"]["value"])
    assert a["gap"]["low"] == pytest.approx(-b["gap"]["high"])
    assert a["gap"]["p"] == b["gap"]["p"]


def test_a_model_that_fails_on_one_site_is_flagged():
    made = study()
    model = noisy_model(made, uninformed_site="b")
    a, b = subgroup_rows(made, model, "site", confidence=0.9)
    assert a["group"] == "a"
    assert a["flagged"] is True
    assert b["group"] == "b"
    assert b["flagged"] is True
    _, b = subgroup_rows(made, model, "site")
    assert b["gap"]["high"] < -0.2


def test_a_model_without_gaps_is_not_flagged():
    made = study()
    for row in subgroup_rows(made, noisy_model(made)):
        assert not row["flagged"]


def test_a_flag_depends_on_the_corrected_p_value():
    def sex(index):
        return np.where(index["sample"] // 2 % 3, "F", "M")

    made = study({"sex": sex})
    rows = subgroup_rows(made, noisy_model(made, uninformed_site="b"))
    is_corrected = []
    for row in rows:
        gap = row["gap"]
        assert gap["p_holm"] >= gap["p"]
        assert row["flagged"] == (gap["p_holm"] < 0.05)
        is_corrected.append(gap["p_holm"] > gap["p"])
    assert any(is_corrected)


def lesions_by_size(made: EvaluatedDomain) -> dict[str, int]:
    found = {}
    for by, name, inside in groups(made, "test"):
        if by == "size":
            found[name] = inside.sum()
    return found


def test_the_limits_of_size_are_the_thirds_of_the_training_part():
    made = study()
    found = lesions_by_size(made)
    assert found == {"up to 27.3": 27, "27.3 to 53.7": 26, "above 53.7": 27}
    # Larger lesions in the test part do not move the limits.
    sizes = made.domain.index["size"].copy()
    sizes[made.rows["test"]] *= 100
    larger = with_columns(made, size=sizes)
    found = lesions_by_size(larger)
    assert found == {"up to 27.3": 0, "27.3 to 53.7": 0, "above 53.7": 80}
    rows = subgroup_rows(larger, noisy_model(made), "size")
    assert [row["group"] for row in rows] == ["above 53.7"]


def test_each_case_is_in_at_most_one_group_of_a_kind_and_unknown_values_are_in_none():
    def age(index):
        known = np.where(index["size"] > 40, "70s", "60s")
        is_unknown = index["sample"] % 4 < 2
        return np.where(is_unknown, "", known)

    def scanner(index):
        return np.full(len(index), "Aquilion ONE")

    made = study({"age": age, "scanner": scanner})
    found = list(groups(made, "test"))
    kinds = [by for by, _, _ in found]
    assert kinds == ["site"] * 2 + ["scanner"] + ["size"] * 3 + ["age"] * 2
    groups_of_case = dict.fromkeys(kinds, 0)
    for by, _, inside in found:
        groups_of_case[by] = groups_of_case[by] + inside.astype(int)
    assert groups_of_case["size"].tolist() == [1] * 80
    assert groups_of_case["site"].tolist() == [1] * 80
    assert groups_of_case["scanner"].tolist() == [1] * 80
    assert groups_of_case["age"].sum() == 40
    assert groups_of_case["age"].max() == 1


def test_equal_sizes_and_empty_sites_make_no_groups():
    made = study()
    uniform = with_columns(made, size=7.0, site="")
    found = score_subgroups(uniform, "bagging", noisy_model(made), 0.95)
    assert found == {"model": "bagging", "rows": []}


def test_a_group_with_too_few_patients_of_a_class_has_only_the_scores_of_the_other_class():
    is_malignant = np.arange(PLACES) // 4 % 2 == 1

    def sex(index):
        values = np.full(len(index), "F", dtype=object)
        of_test = values[2 * PLACES :]
        malignant = np.flatnonzero(is_malignant)
        of_test[malignant[: 2 * (LEAST - 1)]] = "M"  # LEAST - 1 patients of two lesions
        benign = np.flatnonzero(~is_malignant)
        of_test[benign[: 2 * LEAST]] = "M"  # LEAST patients
        return values

    made = study({"sex": sex})
    women, men = subgroup_rows(made, noisy_model(study()), "sex")
    assert men["patients"] == 2 * LEAST - 1
    assert men["auroc"] is None
    assert men["sensitivity"] is None
    assert men["gap"] is None
    assert men["specificity"]["value"] is not None
    assert men["flagged"] is False
    # The women have an AUROC, but nobody to be compared with.
    assert women["auroc"] is not None
    assert women["gap"] is None


def test_the_external_site_is_reported_beside_the_internal_sites():
    made = study(external=True)
    rows = subgroup_rows(made, noisy_model(made), "site")
    found = [(row["part"], row["group"]) for row in rows]
    assert found == [("test", "a"), ("test", "b"), ("external", "c")]
    external = rows[2]
    assert external["auroc"]["value"]
    assert external["gap"] is None
