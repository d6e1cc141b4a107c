"""The comparison of drift.json as a person reads it."""

from collections.abc import Iterator, Mapping

WIDTHS = (20, 14, 26, 26, 10)
HEADINGS = ("measurement", "topic", "reference", "scans", "p (Holm)")


def table_lines(document: Mapping) -> Iterator[str]:
    """Yield a table with a row for each test, and one sentence."""
    yield (
        f"the last {document['scans']} scans, one lesion each, beside the reference: "
        "median and quartiles, or share"
    )
    yield _row(HEADINGS)
    alarms = []
    for test in document["tests"]:
        expected, found = _describe(test["expected"]), _describe(test["found"])
        mark = " alarm" if test["is_alarm"] else ""
        yield _row((test["name"], test["topic"], expected, found, f"{test['p_holm']:.4f}{mark}"))
        if test["is_alarm"]:
            alarms.append(test["name"])
    if alarms:
        yield f"ALARM: these scans differ from the reference: {', '.join(alarms)}"
    else:
        yield f"no alarm (false alarms: at most {document['level'] * 100:g} % of nights)"


def _describe(sample: Mapping) -> str:
    if "share" in sample:
        return f"{sample['share'] * 100:.3g} %"
    return f"{sample['median']:.3g} [{sample['low']:.3g}, {sample['high']:.3g}]"


def _row(cells: tuple[str, ...]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)]
    return "  ".join(padded).rstrip()
