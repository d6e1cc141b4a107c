"""The tables of results."""

from graft.report import results


def test_each_task_has_its_scores_and_its_gain(read_run):
    table = results.tasks(read_run())
    assert [row[0] for row in table.rows] == ["label", "rating", "volume"]
    assert table.rows[0][1:3] == ["test (60 lesions of 40 patients)", "AUROC"]
    assert table.rows[1][5].startswith("−0.010 [")
    assert table.rows[2][2:] == [
        "R²",
        "0.700 [0.580,\N{NO-BREAK SPACE}0.820]",
        "not trained",
        "–",
    ]


def test_a_source_with_one_task_has_no_such_table(read_run):
    assert results.tasks(read_run(change=lambda metrics: metrics.update(tasks=None))) is None
