"""Tables of quality and saliency."""

import pytest

from graft.report import explained, quality


def test_a_flagged_gap_is_marked(read_run):
    block = read_run().block("subgroups")
    table = quality.subgroups(block, "test")
    flags = [row[-1] for row in table.rows]
    assert [str(flag) for flag in flags] == ["flagged", "", "", ""]
    assert flags[0].mark == "bad"
    assert quality.flagged(block).startswith("1 gap flagged")


def test_operating_points_have_one_table_per_kind(read_run):
    sensitivity, specificity = quality.operating_points(read_run())
    assert "sensitivity of 0.9" in sensitivity.caption
    assert "specificity of 0.9" in specificity.caption
    assert sensitivity.rows[0][:3] == ["scratch, test", "0.310", "0.910"]


def test_a_method_that_randomised_weights_do_not_change_is_marked(read_run):
    table = explained.saliency(read_run())
    verdicts = [str(row[-1]) for row in table.rows]
    assert verdicts == ["lower, as it should be", "as high: do not trust it"]


@pytest.mark.parametrize(("randomised", "count"), [(0.11, 0), (0.6, 1)])
def test_a_peak_no_better_than_with_randomised_weights_is_doubted(read_run, randomised, count):
    block = read_run().saliency
    grad_cam = block["methods"]["grad_cam"]  # its peak is in the lesion in 0.58 of cases
    grad_cam["randomised"]["pointing_game"]["value"] = randomised
    doubts = list(explained.doubts(block))
    expected = "Grad-CAM peaks in the lesion no more often than with randomised weights."
    assert doubts == [expected] * count
