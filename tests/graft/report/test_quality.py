"""Tables against numbers worked by hand."""

import pandas as pd

from graft.report import explained, origin, quality


def predictions(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    """Cases of the chosen model on the test part: sample, true class, probability of malignant."""
    table = pd.DataFrame(rows, columns=["sample", "label", "p_malignant"])
    return table.assign(
        p_benign=1 - table["p_malignant"], part="test", model="bagging", predicted="benign"
    )


LABELS = ("malignant", "malignant", "benign", "benign", "benign")
CASES = list(zip("12345", LABELS, (0.9, 0.3, 0.31, 0.1, 0.8), strict=True))


def test_confusion_at_an_operating_point_is_counted_from_the_predictions(read_run):
    run = read_run(external=False)
    object.__setattr__(run, "predictions", predictions(CASES))
    _, table, _ = quality.confusions(
        run
    )  # at the threshold of 0.31 that the fixture's operating point has
    assert "sensitivity of 0.9" in table.caption
    plain = [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]
    assert plain == [
        ["is benign", "1 (33 %)", "2 (67 %)"],
        ["is malignant", "1 (50 %)", "1 (50 %)"],
    ]


def test_the_hardest_cases_are_those_whose_class_was_least_likely(read_run):
    run = read_run(external=False)
    object.__setattr__(run, "predictions", predictions(CASES))
    found = [row[0] for row in quality.hardest(run, "test").rows]
    assert found == ["5", "2", "3", "1", "4"]  # 0.2, 0.3, 0.69, 0.9, 0.9
    assert quality.hardest(run, "test").rows[0] == ["5", "benign", "benign", "0.200"]


def test_a_flagged_gap_is_marked(read_run):
    run = read_run()
    rows = quality.subgroups(run.block("subgroups"), "test").rows
    assert [str(row[-1]) for row in rows] == ["flagged", "", "", ""] and rows[0][-1].mark == "bad"
    assert quality.flagged(run.block("subgroups")).startswith("1 gap flagged")


def test_a_method_that_survives_randomised_weights_is_not_to_be_trusted(read_run):
    table = explained.saliency(read_run())
    assert [str(row[-1]) for row in table.rows] == [
        "worse, as it should",
        "as good: do not trust it",
    ]


def test_a_peak_no_better_placed_than_by_chance_is_said(read_run):
    run = read_run()
    assert list(explained.doubts(run)) == []
    run.saliency["methods"]["grad_cam"]["randomised"]["pointing_game"]["value"] = 0.6  # ours: 0.58
    (doubt,) = explained.doubts(run)
    assert doubt.startswith("Grad-CAM peaks in the lesion no more often")


def test_folders_of_this_machine_are_not_shown():
    assert origin.shown("/home/ada/ct") == "…/ct" and origin.shown(r"C:\data\ct") == "…/ct"
    assert origin.shown("data/raw/ct") == "data/raw/ct" and origin.shown(["/a/b", 1]) == "…/b, 1"
    assert origin.shown(None) == origin.shown({}) == "none"
