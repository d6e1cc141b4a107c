"""Hostile files: bombs, pickles, FIFOs, and ways to read outside the folder of the data.

What would have to be refused and is not counts as silently wrong, like a command that was executed.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.campaign.attempts import Attempt, run_step
from benchmarks.campaign.damaged import copy_everything, step_of
from benchmarks.campaign.hostile_files import ATTACKS, Hostile
from benchmarks.campaign.steps import OUTPUTS
from benchmarks.campaign.wrong_values import MARKER


def plan_hostile(project: Path) -> Iterator[Attempt]:
    """All attacks, each once. One of each title comes first."""
    titles: dict[str, list[tuple[int, Hostile]]] = {}
    for number, attack in enumerate(ATTACKS):
        titles.setdefault(attack.title, []).append((number, attack))
    rounds = max(len(attacks) for attacks in titles.values())
    for k in range(rounds):
        for attacks in titles.values():
            if k >= len(attacks):
                continue
            number, attack = attacks[k]
            place = f"hostile file {number}, read by {attack.line}"
            yield Attempt(f"hostile: {attack.title}", place, partial(_attack, project, attack))


def _attack(project: Path, attack: Hostile, folder: Path) -> tuple[str, str]:
    copy = copy_everything(project, folder)
    attack.change(copy)
    lines = list(OUTPUTS) if attack.line == "pipeline" else [attack.line]
    for line in lines:
        step, _ = step_of(line)
        ended = run_step(step, copy)
        if list(folder.rglob(MARKER)):
            return "wrong", "a command was executed"
        fault = ended.fault()
        if fault:
            return fault[0], f"{line}: {fault[1]}"
        if ended.refused():
            return "survived", ended.err.strip()
    if attack.refused:
        return "wrong", "it was not refused"
    return _judge_text(copy)


def _judge_text(copy: Path) -> tuple[str, str]:
    """No page may have markup of a name, and no cell may begin a formula."""
    report = copy / "metrics/report.html"
    for tag in ("<script>alert", "<img src=x"):
        if tag in report.read_text():
            return "wrong", "markup of a name is in report.html"
    for table in sorted((copy / "metrics").rglob("*.csv")):
        for line in table.read_text().splitlines():
            if any(cell.strip('"').startswith("=") for cell in line.split(",")):
                return "wrong", f"{table.name} has a cell that is a formula"
    return "survived", "the pipeline ended"
