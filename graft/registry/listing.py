"""The versions of a model with what their runs found, as rows and as a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from graft.common.files import InputError
from graft.registry.history import read_history
from graft.registry.project import Project
from graft.registry.runs import format_auroc, read_metrics, summarise

HEADINGS = ("version", "stage", "commit", "created", "model", "verdict", "test AUROC")
NOTHING = "–"


def list_versions(project: Project, metrics: Path) -> list[dict]:
    """Return a row per version, the highest first.

    What a run found is None if its metrics.json cannot be read, and `problem` says why.

    Args:
        project: the repository.
        metrics: the path of metrics.json.
    """
    history = read_history(project.scm, project.artifact)
    path = project.relative(metrics)
    rows = []
    for version in history.versions:
        row = {
            "artifact": project.artifact,
            "version": version.name,
            "stages": history.stages_of(version),
            "commit": version.commit,
            "created": version.created.isoformat(),
        }
        rows.append(row | _findings(project, version.commit, path))
    return rows


def _findings(project: Project, commit: str, path: str) -> dict:
    try:
        found = summarise(Path(path), read_metrics(project, commit, path))
    except InputError as error:
        return {"model": None, "verdict": None, "auroc": None, "problem": str(error)}
    return {
        "model": found.model,
        "verdict": found.verdict,
        "auroc": dict(found.auroc),
        "problem": None,
    }


def table_lines(rows: Sequence[dict]) -> Iterator[str]:
    """Yield the rows as a table, and then one line per run that could not be read."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    for line in cells:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        yield "  ".join(padded).rstrip()
    for row in rows:
        if row["problem"]:
            yield f"{row['version']}: {row['problem']}"


def _cells(row: dict) -> tuple[str, ...]:
    return (
        row["version"],
        ", ".join(row["stages"]) or NOTHING,
        row["commit"][:7],
        row["created"][:10],
        row["model"] or NOTHING,
        row["verdict"] or NOTHING,
        format_auroc(row["auroc"]) if row["auroc"] else NOTHING,
    )
