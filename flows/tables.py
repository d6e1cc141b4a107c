"""The metrics of a run as Prefect shows them: a table, and a comparison with the run before."""

from graft.common.differences import differences
from graft.common.gates import look_up_number

PARTS = ("test", "external")


def metrics_table(metrics: dict) -> list[dict[str, str]]:
    """Return a row per model and baseline: AUROC and gain over scratch, with their intervals."""
    rows = []
    for name, model in (metrics["models"] | metrics["baselines"]).items():
        if not model:
            continue
        gain = metrics["transfer_gain"].get(name, {})
        row = {"model": name.replace("_", " ")}
        for part in PARTS:
            scores = model[part]
            row[f"AUROC, {part}"] = _format_interval(scores["auroc"] if scores else None)
            row[f"gain over scratch, {part}"] = _format_interval(gain.get(part), "+")
        rows.append(row)
    return rows


def comparison(document: dict, before: dict | None) -> str:
    """Return Markdown that compares this run with the one published before."""
    metrics = document["metrics"]
    chosen = metrics["chosen"]
    verdict = f"**Transfer: {metrics['verdict']}.** Best by {chosen['by']}: {chosen['model']}."
    if before is None:
        return f"{verdict}\n\nNo run was published here before."
    revision = before["git"]["revision"][:12]
    lines = [verdict, "", f"Before: {before['started']}, revision {revision}.", ""]
    changed = []
    for found in differences(before["params"], document["params"]):
        changed.append(f"`{found.key}` {_code(found.first)} → {_code(found.second)}")
    if changed:
        lines += [f"Parameters that differ: {', '.join(changed)}.", ""]
    lines += ["| AUROC, test | before | now | change |", "| --- | --- | --- | --- |"]
    for name, model in metrics["models"].items():
        now = look_up_number(model, "test.auroc.value")
        former = look_up_number(before["metrics"], f"models.{name}.test.auroc.value")
        cells = (name, _format_number(former), _format_number(now), _format_change(former, now))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _code(value: object) -> str:
    """Return a value as code, in which Markdown and HTML mean nothing."""
    text = str(value).replace("`", "'")
    return f"`{text}`"


def _format_interval(estimate: dict | None, sign: str = "") -> str:
    if estimate is None:
        return ""
    value = _format_number(estimate["value"], sign)
    low = _format_number(estimate["low"], sign)
    high = _format_number(estimate["high"], sign)
    return f"{value} [{low}, {high}]"


def _format_change(former: float | None, now: float | None) -> str:
    if former is None or now is None:
        return ""
    return f"{now - former:+.3f}"


def _format_number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.3f}"
