"""Do two runs of the pipeline give the same bytes?

    make prove
    python -m benchmarks.same_bytes --against main
    python -m benchmarks.same_bytes --folders former/ latter/

Runs the pipeline in two fresh clones, each with a DVC cache of its own, so that no result is
reused. Compares every weights.safetensors and predictions.csv by SHA-256, and the numbers of
metrics.json. Prints what is the same and what differs. Takes twice as long as the pipeline.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.clone import fresh_clone, head_commit, print_note, run_dvc
from benchmarks.finished_run import (
    Differences,
    FinishedRun,
    Value,
    compare_files,
    compare_numbers,
    differing_texts,
    read_finished_run,
)
from graft.common.files import InputError
from graft.console import run, say

MOST_LINES = 50  # of a kind of difference; further ones are counted


def main(
    against: Annotated[
        str | None,
        typer.Option(help="The git revision to compare HEAD with (default: HEAD itself)."),
    ] = None,
    folders: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Compare the finished runs in two folders and run nothing."),
    ] = None,
) -> None:
    """Compare the models, predictions and metrics of two runs of the pipeline.

    The exit status is 1 if the bytes of a model or of predictions differ, or a number of
    metrics.json. Between two revisions, files and numbers that only the second run has are listed
    but do not count.
    """
    if folders and against:
        raise InputError("--against and --folders: got both, expected at most one of them")
    if folders:
        first, second = read_finished_run(folders[0]), read_finished_run(folders[1])
    else:
        first, second = run_in_fresh_clone(against or "HEAD"), run_in_fresh_clone("HEAD")
    additions_count = not (folders or against)
    sys.exit(1 if print_comparison(first, second, additions_count) else 0)


def run_in_fresh_clone(revision: str) -> FinishedRun:
    """Run the pipeline of a revision and read what it left."""
    with fresh_clone(revision) as folder:
        print_note(f"dvc repro in a clone of {head_commit(folder)[:7]}, which takes minutes")
        run_dvc(folder, "repro")
        return read_finished_run(folder)


def print_comparison(first: FinishedRun, second: FinishedRun, additions_count: bool) -> bool:
    """Print what is the same and what differs; returns whether the runs differ."""
    files = compare_files(first, second)
    say("models and predictions, by SHA-256")
    for path in files.same:
        say(f"  same     {first.files[path]}  {path}")
    _print_differences(files, first.files, second.files)
    numbers = compare_numbers(first, second)
    say(f"metrics.json: {len(numbers.same)} numbers, booleans and nulls are the same")
    _print_differences(numbers, first.values, second.values)
    texts = differing_texts(first, second)
    say(f"metrics.json: {len(texts)} texts differ, which do not count")
    _print_paths("text", texts)

    differ = False
    for title, found in (("files", files), ("numbers", numbers)):
        total = len([*found.same, *found.different, *found.missing, *found.added])
        say(f"{len(found.same)} of {total} {title} are the same")
        lost = found.different or found.missing or (additions_count and found.added)
        differ = differ or bool(lost)
    return differ


def _print_differences(
    found: Differences, first: Mapping[str, Value], second: Mapping[str, Value]
) -> None:
    changes = [f"{path}: {first[path]} -> {second[path]}" for path in found.different]
    _print_paths("DIFFERS", changes)
    _print_paths("MISSING", [f"{path}, which only the first run has" for path in found.missing])
    _print_paths("added", [f"{path}, which only the second run has" for path in found.added])


def _print_paths(title: str, lines: list[str]) -> None:
    for line in lines[:MOST_LINES]:
        say(f"  {title:8} {line}")
    if len(lines) > MOST_LINES:
        say(f"  {title:8} ... and {len(lines) - MOST_LINES} more")


if __name__ == "__main__":
    run(main)
