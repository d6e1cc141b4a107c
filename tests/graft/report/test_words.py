"""The sentences, and that they never say more than the intervals."""

import pytest

from graft.report import words
from graft.statistics.verdict import decide

ENDS = [(0.05, 0.3), (-0.3, -0.05), (-0.1, 0.25), (0.0, 0.2), (-0.2, 0.0)]
GAINS = dict(zip(("helps", "harms", "no difference shown"), ENDS, strict=False))


def judged(found: dict, said: str) -> None:
    """Give the test part a gain with this verdict."""
    low, high = GAINS[said]
    found["transfer_gain"]["transfer"]["test"] |= {
        "value": (low + high) / 2,
        "low": low,
        "high": high,
    }
    found |= decide(found["transfer_gain"]["transfer"]["test"], None, 0.05)
    assert found["verdict"] == said


@pytest.mark.parametrize("said", GAINS)
def test_the_sentence_has_the_interval_of_its_verdict(read_run, said):
    sentence = words.verdict(read_run(change=lambda found: judged(found, said)))
    low, high = GAINS[said]
    assert f"{words.signed(low)} to {words.signed(high)}" in sentence
    assert (" above " in sentence, " below " in sentence, "holds 0" in sentence) == (
        said == "helps",
        said == "harms",
        said == "no difference shown",
    )


def test_plain_words_count_pairs(read_run):
    told = words.meaning(read_run())
    assert (
        "100 pairs of a malignant and a benign lesion" in told and " 74 " in told and " 56." in told
    )  # 0.744, 0.555


def test_a_wide_interval_is_not_called_equality(read_run):
    told = words.meaning(read_run(change=lambda found: judged(found, "no difference shown")))
    assert (
        "not to say that there is no difference" in told and "−0.100" in told and "+0.250" in told
    )


def test_more_views_agree_or_not(read_run):
    voices = list(words.other_voices(read_run()))
    assert [agrees for agrees, _ in voices] == [
        True,
        True,
        False,
        True,
        True,
    ]  # one pair, external, folds, two shares
    assert words.agreement(voices) == "Of 5 more views on the same question, 4 agree:"


def test_without_further_views_none_is_made_up(read_run):
    assert not list(words.other_voices(read_run(bare=True, external=False)))


def test_patients_needed_are_named_where_there_are_too_few(read_run):
    def few(found: dict) -> None:
        found["transfer_gain"]["transfer"]["test"]["patients_needed"] = 310
        judged(found, "no difference shown")

    told = words.margin(read_run(change=few))
    assert "about 310" in told and "41 test patients" in told and "not shown" in told


def test_labels_saved_says_where_the_curve_ends():
    saved = {
        "of": 62.0,
        "reached": "between shares",
        "needed": {"value": 14.2, "low": 8.0, "high": None},
        "saved": {"value": 47.8, "low": None, "high": 54.0},
    }
    told = words.labels_saved({"labels_saved": saved})
    assert "14 [8, never]" in told and "48 [none, 54]" in told
    assert "does not reach" in words.labels_saved({"labels_saved": saved | {"reached": "never"}})
    assert "no more than 14" in words.labels_saved(
        {"labels_saved": saved | {"reached": "at the smallest share"}}
    )
    assert "not defined" in words.labels_saved({"labels_saved": saved | {"reached": "not defined"}})


def test_two_sources_prove_little():
    found = {"by": "AUROC, test", "outcomes": [{}, {}], "logme_tau": 1.0, "h_score_tau": None}
    assert "says little" in words.came_true(found) and "not defined" in words.came_true(found)
    assert "says little" not in words.came_true(found | {"outcomes": [{}, {}, {}]})
    assert "not known" in words.came_true(None)
