import jsonschema
import numpy as np
import pandas as pd
import pytest

from graft.common.documents import check_schema
from graft.common.files import InputError
from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.data.predictions import DECIMALS, probability_columns
from graft.data.sealed_tables import write_sealed_table
from graft.repeated.cross_validation import empty_table
from graft.repeated_evaluation import cross_validation
from graft.repeated_evaluation.cross_validation import (
    PredictedFold,
    auroc_by_repeat,
    cross_validation_lines,
    judge_folds,
)
from graft.repeated_evaluation.folds import Fold, NamedCandidate, Predicted, read_folds
from graft.repeated_evaluation.selection import choose_candidate, judge_selection
from graft.statistics.repeated_auroc import RepeatedAuroc

CLASSES = ["benign", "malignant"]
CANDIDATES = [NamedCandidate("lung", "l2-sp", 0.0), NamedCandidate("lung", "lp-ft", 0.0)]


def two(*disease):
    """Probabilities of both classes."""
    return np.stack([1 - np.array(disease), np.array(disease)], 1)


# of a benign and a malignant case
RIGHT = two(0.2, 0.8)
WRONG = two(0.8, 0.2)


def fold(repeat, number, test, validation, scratch, *candidates):
    """A fold in which each network predicted two cases of both parts."""
    samples = {"validation": np.array(validation), "test": np.array(test)}
    others = []
    for of_validation, of_test in candidates:
        others.append(Predicted(samples, {"validation": of_validation, "test": of_test}))
    return Fold(
        repeat, number, Predicted(samples, {"validation": scratch, "test": scratch}), others
    )


FOLDS = [
    fold(1, 1, [0, 1], [2, 3], WRONG, (RIGHT, RIGHT), (WRONG, WRONG)),
    fold(1, 2, [2, 3], [0, 1], RIGHT, (RIGHT, RIGHT), (WRONG, WRONG)),
    fold(2, 1, [2, 3], [0, 1], WRONG, (WRONG, RIGHT), (RIGHT, WRONG)),  # validation misleads
    fold(2, 2, [0, 1], [2, 3], WRONG, (RIGHT, RIGHT), (WRONG, WRONG)),
]


def table_of(folds):
    """The table that the repeated trainings write."""
    tables = []
    for each in folds:
        networks = [("scratch", NamedCandidate("", "", 0.0), each.scratch)]
        for candidate, predicted in zip(CANDIDATES, each.candidates, strict=True):
            networks.append(("transfer", candidate, predicted))
        for arm, candidate, predicted in networks:
            for part in ("validation", "test"):
                table = pd.DataFrame(
                    predicted.probabilities[part], columns=probability_columns(CLASSES)
                )
                table["repeat"] = each.repeat
                table["fold"] = each.number
                table["part"] = part
                table["arm"] = arm
                table = table.assign(**candidate.named())
                table["sample"] = predicted.samples[part]
                tables.append(table)
    return pd.concat(tables, ignore_index=True)


def test_pairs_count_within_a_fold_and_are_summed_over_folds():
    labels = np.array([0, 1, 1, 0, 1])
    folds = [
        PredictedFold(
            1, np.array([0, 1, 2]), two(0.5, 0.6, 0.4)
        ),  # 1 of 2 pairs is ranked correctly
        PredictedFold(1, np.array([3, 4]), two(0.8, 0.9)),  # 1 of 1, in spite of the other fold
        PredictedFold(2, np.array([1, 2, 4]), two(0.1, 0.2, 0.3)),  # no pair
        PredictedFold(2, np.array([0, 3]), two(0.1, 0.2)),
    ]
    weights = np.array([[1.0, 1, 1, 1, 1], [1, 2, 0, 1, 1], [1, 1, 1, 0, 1]])
    found = auroc_by_repeat(labels, folds, weights)
    assert found[:, 0] == pytest.approx([2 / 3, 1, 1 / 2])
    assert np.isnan(found[:, 1]).all()


def test_the_lowest_loss_is_chosen_and_the_first_of_equal_ones():
    assert choose_candidate([0.7, 0.5, 0.6]) == 1
    assert choose_candidate([0.5 + 1e-9, 0.5]) == 0


@pytest.fixture
def block():
    index = pd.DataFrame({"patient": list("abcd"), "label": CLASSES * 2})
    domain = Domain("liver", np.zeros((4, 1, 8, 8)), index, CLASSES, {})
    random = generator(0, "bootstrap")
    found = judge_folds(domain, FOLDS, CANDIDATES, 300, 0.95, random, CANDIDATES[0])
    return found["cross_validation"]


def test_the_aurocs_and_the_gain_by_hand(block):
    assert (block["folds"], block["repeats"]) == (2, 2)
    assert (block["patients"], block["lesions"]) == (4, 4)
    scratch = block["models"]["scratch"]
    transfer = block["models"]["transfer"]
    assert scratch["by_repeat"] == [0.5, 0]
    assert scratch["auroc"]["value"] == 0.25
    assert transfer["by_repeat"] == [1, 0.5]
    assert block["gain"]["value"] == 0.5
    assert block["gain"]["by_repeat"] == [0.5, 0.5]
    assert block["gain"]["seed_sd"] == 0


def test_the_validation_patients_of_each_fold_choose_its_candidate(block):
    assert [row["chosen"] for row in block["candidates"]] == [3, 1]
    assert [row["auroc"]["value"] for row in block["candidates"]] == [1, 0]
    loss = (3 * -np.log(0.8) - np.log(0.2)) / 4
    assert block["candidates"][0]["validation_log_loss"] == pytest.approx(loss, abs=1e-6)
    choices = [(row["repeat"], row["fold"], row["strategy"]) for row in block["choices"]]
    assert choices == [(1, 1, "l2-sp"), (1, 2, "l2-sp"), (2, 1, "lp-ft"), (2, 2, "l2-sp")]


def test_the_choice_is_compared_with_each_candidate_with_the_default_and_with_the_best(block):
    # The choice ranks all pairs of the first repeat and one of two of the second one.
    first, second = block["candidates"]
    assert first["choice_over_it"]["value"] == -0.25
    assert second["choice_over_it"]["value"] == 0.75
    assert (second["choice_over_it"]["low"], second["choice_over_it"]["high"]) == (0, 1)
    assert block["selection"] == {
        "default": {"source": "lung", "strategy": "l2-sp", "lambda": 0},
        "over_default": first["choice_over_it"],
        "best": {"source": "lung", "strategy": "l2-sp", "lambda": 0},
        "regret": 0.25,
    }


def test_a_strategy_without_a_pull_is_the_default_whatever_lambda_is():
    frozen = NamedCandidate("lung", "frozen", 0.0)
    assert frozen.is_like(NamedCandidate("lung", "frozen", 0.01))
    assert not frozen.is_like(NamedCandidate("kidney", "frozen", 0.0))
    assert not CANDIDATES[0].is_like(NamedCandidate("lung", "l2-sp", 0.01))


def test_a_default_that_is_no_candidate_is_not_compared():
    areas = RepeatedAuroc(np.array([0.5, 0.7]), np.full(20, 0.6))
    better = RepeatedAuroc(np.array([0.7, 0.7]), np.full(20, 0.7))
    other = NamedCandidate("kidney", "l2-sp", 0.0)
    found = judge_selection(CANDIDATES, [areas, better], areas, other, 0.95)
    assert (found["default"], found["over_default"]) == (None, None)
    assert found["best"]["strategy"] == "lp-ft"
    assert found["regret"] == pytest.approx(0.1)
    undefined = RepeatedAuroc(np.array([np.nan]), np.full(20, np.nan))
    found = judge_selection(CANDIDATES, [undefined] * 2, undefined, None, 0.95)
    assert np.isnan(found["regret"])


def test_one_candidate_needs_neither_a_choice_nor_validation_cases(tmp_path):
    table = table_of(FOLDS)
    table = table[(table["strategy"] != "lp-ft") & (table["part"] == "test")]
    write_sealed_table(tmp_path / "folds.csv", table)
    folds, candidates = read_folds(tmp_path / "folds.csv", CLASSES, np.arange(4))
    assert candidates == CANDIDATES[:1]
    index = pd.DataFrame({"patient": list("abcd"), "label": CLASSES * 2})
    domain = Domain("liver", np.zeros((4, 1, 8, 8)), index, CLASSES, {})
    random = generator(0, "bootstrap")
    found = judge_folds(domain, folds, candidates, 100, 0.95, random)["cross_validation"]
    assert found["selection"] is None
    (row,) = found["candidates"]
    assert (row["chosen"], row["validation_log_loss"]) == (4, None)
    assert row["choice_over_it"]["value"] == 0


def test_a_person_reads_a_line_per_model_and_one_about_the_gain(block):
    lines = list(cross_validation_lines({"cross_validation": block}))
    assert len(lines) == 6
    assert "2 × 2 folds of 4 patients, the gain of transfer is +0.500" in lines[2]
    assert lines[3] == (
        "Chosen within 4 folds: l2-sp from lung with λ = 0 in 3, lp-ft from lung with λ = 0 in 1"
    )
    assert lines[4].startswith("The choice over the default, l2-sp from lung with λ = 0: -0.250 [")
    assert "has an AUROC +0.250 from that of the choice" in lines[5]


def test_written_folds_are_read_again(tmp_path):
    write_sealed_table(tmp_path / "folds.csv", table_of(FOLDS))
    folds, candidates = read_folds(tmp_path / "folds.csv", CLASSES, np.arange(4))
    assert candidates == CANDIDATES
    for found, expected in zip(folds, FOLDS, strict=True):
        assert (found.repeat, found.number) == (expected.repeat, expected.number)
        networks = zip(
            [found.scratch, *found.candidates],
            [expected.scratch, *expected.candidates],
            strict=True,
        )
        for mine, theirs in networks:
            for part in ("validation", "test"):
                assert np.array_equal(mine.samples[part], theirs.samples[part])
                expected_probabilities = theirs.probabilities[part].round(DECIMALS)
                assert np.array_equal(mine.probabilities[part], expected_probabilities)


def test_a_table_that_lacks_a_network_raises_an_error(tmp_path):
    table = table_of(FOLDS)
    lost = (table["repeat"] == 2) & (table["fold"] == 1) & (table["strategy"] == "lp-ft")
    write_sealed_table(tmp_path / "folds.csv", table[~lost])
    with pytest.raises(InputError, match="repeat 2, fold 1 lacks a network or a part"):
        read_folds(tmp_path / "folds.csv", CLASSES, np.arange(4))


def test_without_trainings_there_are_no_folds_and_no_block(tmp_path):
    write_sealed_table(tmp_path / "folds.csv", empty_table(CLASSES))
    folds, candidates = read_folds(tmp_path / "folds.csv", CLASSES, np.arange(4))
    assert folds == candidates == []
    domain = Domain("liver", np.zeros((0, 1, 8, 8)), pd.DataFrame(), CLASSES, {})
    block = judge_folds(domain, folds, candidates, 300, 0.95, generator(0, "bootstrap"))
    assert block == {"cross_validation": None}
    assert list(cross_validation_lines(block)) == []


def test_the_schema_allows_none_and_no_unknown_keys():
    check_schema({"cross_validation": None}, cross_validation.SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        check_schema({"cross_validation": {"folds": 5}}, cross_validation.SCHEMA)


def lose_a_repeat_of_a_fold(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["repeat"] == 1) | (table["fold"] == 1)]


def lose_a_case(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["sample"] != 0) | (table["part"] != "test") | (table["repeat"] == 2)]


def repeat_a_case(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table[:1]])


def lose_a_case_of_one_network(table: pd.DataFrame) -> pd.DataFrame:
    row = np.flatnonzero((table["arm"] == "transfer") & (table["part"] == "test"))[0]
    return table.drop(index=table.index[row])


def lose_all_candidates(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["arm"] == "scratch"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose_a_repeat_of_a_fold, r"repeat 2 lacks a fold, expected the folds \[1, 2\]"),
        (lose_a_case, "the folds of repeat 1 test 3 lesions"),
        (repeat_a_case, "repeat 1, fold 1 lacks a network or a part, or has a case twice"),
        (lose_a_case_of_one_network, "repeat 1, fold 1 "),
        (lose_all_candidates, "has other arms or parts"),
        (lambda table: table.assign(part="training"), "has other arms or parts"),
        (lambda table: table.assign(sample=table["sample"] + 1), "the folds of repeat 1 test 4"),
    ],
)
def test_each_fold_has_each_network_and_case_once(tmp_path, damage, message):
    write_sealed_table(tmp_path / "folds.csv", damage(table_of(FOLDS)))
    with pytest.raises(InputError, match=f"folds.csv: .*{message}"):
        read_folds(tmp_path / "folds.csv", CLASSES, np.arange(4))
