"""The table of what one known lesion of a patient adds to the prediction of another."""

from graft.charts.numbers import difference, estimate, p_value
from graft.charts.table import Table
from graft.evidence.evidence import Block

SCORES = {"log_loss": "log loss", "auroc": "AUROC"}


def gain(block: Block) -> Table:
    """The scores of the next lesion without and with the known one.

    Args:
        block: `patient_effect.gain` of metrics.json.
    """
    rows = []
    for name, title in SCORES.items():
        found = block[name]
        change = found["difference"]
        scores = [estimate(found["without"]), estimate(found["with"])]
        rows.append([title, *scores, difference(change), p_value(change["p"])])
    caption = f"The next lesion of {block['patients']} patients, {block['pairs']} pairs, test part"
    return Table(caption, ["", "without", "with one known lesion", "difference", "p"], rows)
