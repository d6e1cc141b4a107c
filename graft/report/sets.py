"""Tables of the sets that the chosen model gives instead of a class, and of what it refuses."""

from collections.abc import Iterator

from graft.charts.numbers import estimate, number, percent, plural, share, spoken
from graft.charts.table import Cell, Row, Table
from graft.conformal.coverage import failures
from graft.evidence.evidence import Evidence

WHERE = {"test": "On the test part", "external": "At the external site"}


def coverage(evidence: Evidence) -> Table:
    """Coverage by class, set size and the share without a single class, on each part."""
    block = evidence.metrics["conformal"]
    failed = {(part, name) for part, name, _ in failures(block)}
    rows: list[Row] = []
    for name, fitted in block["classes"].items():
        row: list[str | Cell] = [f"coverage of {name}", number(fitted["cases"])]
        for part in evidence.parts:
            mark = "bad" if (part, name) in failed else ""
            row.append(Cell(share(block[part]["coverage"][name]), mark))
        rows.append(row)
    sizes = [estimate(block[part]["set_size"]) for part in evidence.parts]
    unsure = [share(block[part]["not_one_class"]) for part in evidence.parts]
    rows += [["mean size of a set", "", *sizes], ["no class or several", "", *unsure]]
    caption = f"Conformal sets of {block['model']} for {percent(1 - block['miscoverage'])}"
    return Table(caption, ["", "cases fitted on", *evidence.parts], rows)


def sentences(evidence: Evidence) -> Iterator[str]:
    """Where coverage fails, plainly, or that it fails nowhere; and which class has no quantile."""
    block = evidence.metrics["conformal"]
    wanted = percent(1 - block["miscoverage"])
    failed = list(failures(block))
    for part, name, found in failed:
        yield (
            f"{WHERE[part]} coverage fails: the sets of {name} lesions have the true class for "
            f"{share(found)}, and the interval lies below {wanted}. Do not rely on the sets there."
        )
    if not failed:
        yield f"No interval of a coverage lies below {wanted}."
    for name, fitted in block["classes"].items():
        if fitted["quantile"] is None:
            yield (
                f"With {plural(fitted['cases'], 'case')} of {name} there is no quantile for "
                f"{wanted}, so every set has this class."
            )


def refusals(evidence: Evidence) -> Table:
    """The share of lesions that each check refuses, on each part."""
    block = evidence.metrics["refusals"]
    rows = []
    for check in block["test"]:
        shares = [share(block[part][check]) for part in evidence.parts]
        rows.append([f"{spoken(check)} check" if check == "any" else check, *shares])
    return Table("Refused by mistake", ["", *evidence.parts], rows)
