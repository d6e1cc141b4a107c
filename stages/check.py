"""Look for leaks between the parts of source and target before anything is learnt on the target."""

from pathlib import Path

from graft.common.files import whole_file, write_json
from graft.config import load
from graft.console import run, say
from graft.leakage import cohorts
from graft.leakage.rows import checks_document

GATE, REPORT = Path("data/splits/checked"), Path("metrics/checks.json")


def main() -> None:
    """Write metrics/checks.json and the gate that training on the target waits for; or neither, where there is a leak."""
    domains, source, target, seed, folds = load.read(
        "domains", "source", "target", "seed", "evaluate.folds"
    )
    GATE.unlink(missing_ok=True)  # an earlier one would speak for data that it never saw
    cohorts = [
        cohorts.Cohort.read(
            Path("data/processed") / name, Path(f"data/splits/{name}.csv"), domains[name].split
        )
        for name in dict.fromkeys((source, target))
    ]
    rows = [row for cohort in cohorts for row in cohorts.within(cohort, seed)]
    if len(cohorts) == 2:
        rows += cohorts.across(*cohorts, everybody=folds > 0)
    with whole_file(REPORT) as path:
        write_json(path, checks_document(rows))
    with whole_file(GATE) as path:
        path.write_text("No leak: metrics/checks.json says what was looked at.\n", encoding="utf-8")
    for row in rows:
        say(f"{row['domain']}: {row['name']}: {row['looked_at']}: {row['found']}")


if __name__ == "__main__":
    run(main)
