"""The table of strategies has a difference from scratch and from l2-sp for each part."""

import numpy as np

from benchmarks.strategies import COMPARED, result_table
from benchmarks.trials import Outcome


def outcome(auroc: float, seconds: float) -> Outcome:
    aurocs = {"test": np.array([auroc, auroc + 0.1]), "external": np.array([auroc, auroc])}
    return Outcome(aurocs, aurocs, np.array([seconds]))


def test_each_part_is_compared_with_the_first_variant_and_the_default():
    of = {variant.title: variant for variant in COMPARED}
    variants = [of["scratch"], of["l2-sp"], of["delta"]]
    lines = list(result_table(variants, [outcome(0.5, 4), outcome(0.75, 8), outcome(0.625, 2)]))
    assert lines[0] == (
        "|  | AUROC, test | over scratch | over l2-sp | AUROC, external | over scratch "
        "| over l2-sp | CPU s | of l2-sp |"
    )
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells[0][2:4] == ["", "-0.250 ± 0.000"]
    assert cells[2] == [
        "delta",
        "0.675 ± 0.050",
        "+0.125 ± 0.000",
        "-0.125 ± 0.000",
        "0.625 ± 0.000",
        "+0.125 ± 0.000",
        "-0.125 ± 0.000",
        "2.0",
        "0.25",
    ]


def test_without_the_default_there_is_one_difference():
    of = {variant.title: variant for variant in COMPARED}
    lines = list(result_table([of["scratch"], of["delta"]], [outcome(0.5, 4), outcome(0.6, 2)]))
    assert lines[0].count("over") == 2
    assert "over l2-sp" not in lines[0]
