"""The flow that tries parameters: each point a DVC experiment in a workspace of its own, many at once.

    python -m flows.sweep -S lambda=0,0.001,0.01,0.1,1

The points share what they have done through a DVC remote, run cache included: what does not hang on the parameters,
as pretraining, is run once before they start, and a point that was run before is restored.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pandas as pd
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows import command, gpus, graph
from flows.pipeline import TAIL, override, parse
from graft.common.files import read_json, whole_file

ROOT = Path(__file__).parents[1]
SHARED = ROOT / ".graft/remote"  # the DVC remote of a sweep on one machine
TABLE, PLOT = Path("metrics/sweep.csv"), Path("metrics/sweep.png")
LAMBDAS = (0.0, 0.001, 0.01, 0.1, 1.0)
PARTS = ("test", "external")


class CommandFailed(RuntimeError):
    """A command ended with another status than 0; the message has its last lines."""


@flow(name="lambda-sweep")
def sweep(
    grid: dict[str, list[object]] | None = None,
    repository: str | None = None,
    remote: str | None = None,
    task_runner: Literal["threads", "dask"] = "threads",
    scheduler: str | None = None,
    workers: int = 2,
) -> State:
    """Run every point of a grid of parameters and say which is best by validation.

    Args:
        grid: parameters by their keys in params.yaml, each with its values; a few values of lambda without one.
        repository: git URL that every worker can clone; this repository, where all of them are on this machine.
        remote: URL of the DVC storage that every worker can reach; a folder of this repository by default.
        task_runner: `threads` of this process, or `dask`.
        scheduler: address of a running Dask scheduler (`tcp://host:8786`); a cluster on this machine without one.
        workers: how many points run at once: threads, or processes of the cluster on this machine.
    """
    log, grid = get_run_logger(), grid or {"lambda": list(LAMBDAS)}
    origin, remote = repository or str(ROOT), remote or str(SHARED)
    revision = _git(ROOT, "rev-parse", "HEAD")
    if _git(ROOT, "status", "--porcelain", "--untracked-files=no"):
        log.warning("what is not committed is left out of the sweep")
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    try:
        prepared = prepare(str(ROOT), revision, remote, list(grid), return_state=True)
        if not prepared.is_completed():
            return Failed(message=prepared.message)
        states = fan_out.with_options(task_runner=_runner(task_runner, scheduler, workers))(
            points, origin, revision, remote
        )
        rows = [row for state in states if state.is_completed() for row in state.result()]
        if rows:
            _report(pd.DataFrame(rows), list(grid))
        failed = [state.message for state in states if not state.is_completed()]
        return (
            Failed(message="\n\n".join(failed))
            if failed
            else Completed(message=f"{len(points)} points, see {TABLE}")
        )
    finally:
        command.end_all()


@flow(name="points")
def fan_out(
    points: list[dict[str, object]], origin: str, revision: str, remote: str
) -> list[State]:
    """Run the points on the flow's task runner; returns how each ended."""
    futures = [
        point.with_options(task_run_name=_title(values)).submit(values, origin, revision, remote)
        for values in points
    ]
    for future in futures:
        future.wait()
    return Completed(data=[future.state for future in futures])


@task(name="prepare", task_run_name="prepare", cache_policy=NO_CACHE)
def prepare(origin: str, revision: str, remote: str, keys: Sequence[str]) -> State:
    """Run the stages that all points have in common, and push what they give.

    What this repository's own cache holds is taken from there and not run again.
    """
    try:
        with _workspace(origin, revision, remote) as folder:
            _run(folder, "dvc", "cache", "dir", "--local", str(ROOT / ".dvc/cache"))
            _run(folder, "dvc", "pull", "--run-cache", "--allow-missing")
            if common := graph.untouched(folder, keys):
                _run(folder, "dvc", "repro", "--pull", *common)
                _run(folder, "dvc", "push", "--run-cache", *common)
            return Completed(message=f"in common: {', '.join(common) or 'nothing'}")
    except CommandFailed as error:
        return Failed(message=str(error))


@task(name="point", cache_policy=NO_CACHE)
def point(values: dict[str, object], origin: str, revision: str, remote: str) -> State[list[dict]]:
    """Run one point as a DVC experiment, hand it to the repository that it came from, and return a row a model."""
    try:
        with _workspace(origin, revision, remote) as folder:
            _run(folder, "dvc", "pull", "--run-cache", "--allow-missing")
            sets = [
                word
                for key, value in values.items()
                for word in ("-S", f"{key}={json.dumps(value)}")
            ]
            with gpus.slot(True) as environment:
                _run(folder, "dvc", "exp", "run", "--pull", *sets, more=environment)
            _run(folder, "dvc", "push", "--run-cache")
            name = _git(
                folder, "for-each-ref", "--format=%(refname:lstrip=4)", "refs/exps"
            ).splitlines()[-1]
            _run(folder, "dvc", "exp", "push", "--no-cache", "origin", name)
            return Completed(
                name="Ran", data=rows(values, name, read_json(folder / "metrics/metrics.json"))
            )
    except CommandFailed as error:
        return Failed(message=f"{_title(values)}: {error}")


def rows(values: dict[str, object], experiment: str, metrics: dict) -> list[dict]:
    """A row a model: the point, its validation loss, and AUROC with its interval on each part."""
    found = []
    for name, model in metrics["models"].items():
        row = {
            **values,
            "experiment": experiment,
            "model": name,
            "validation_log_loss": model["validation"]["log_loss"],
        }
        for part in PARTS:
            for column in ("value", "low", "high"):
                row[f"{part}_auroc_{column}"] = model[part] and model[part]["auroc"][column]
        found.append(row)
    return found


def best(table: pd.DataFrame) -> int:
    """The position of the row with the lowest validation loss, the first of equals; the tests have no say."""
    return int(table["validation_log_loss"].to_numpy().argmin())


def _report(table: pd.DataFrame, keys: list[str]) -> None:
    chosen = table.iloc[best(table)]
    table["best"] = [k == best(table) for k in range(len(table))]
    with whole_file(ROOT / TABLE) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    with whole_file(ROOT / PLOT) as path:
        draw(table, keys, path)
    where = _title({key: chosen[key] for key in keys})
    said = f"Best by validation log loss: {where}, {chosen['model']} ({chosen['validation_log_loss']:.4f})"
    get_run_logger().info(said)
    shown = json.loads(table.round(4).to_json(orient="records"))
    create_table_artifact(key="sweep", table=shown, description=said)


def draw(table: pd.DataFrame, keys: list[str], path: Path) -> None:
    """Draw AUROC with its intervals against the points, a line a model, a panel a part."""
    from matplotlib.figure import Figure

    titles = table[keys].apply(lambda row: _title(dict(row)), axis=1)
    ticks = {title: k for k, title in enumerate(dict.fromkeys(titles))}
    parts = [part for part in PARTS if table[f"{part}_auroc_value"].notna().any()]
    figure = Figure(figsize=(4 * len(parts) + 2, 4), layout="constrained")
    for axes, part in zip(
        figure.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True
    ):
        models = list(dict.fromkeys(table["model"]))
        for k, name in enumerate(models):
            mine = table[table["model"] == name]
            value, low, high = (
                mine[f"{part}_auroc_{column}"] for column in ("value", "low", "high")
            )
            at = titles[mine.index].map(ticks) + (k - (len(models) - 1) / 2) * 0.12
            axes.errorbar(
                at,
                value,
                [value - low, high - value],
                fmt="o-",
                markersize=4,
                linewidth=1,
                label=name,
            )
        axes.set_xticks(list(ticks.values()), list(ticks), rotation=30)
        axes.set_title(part)
        axes.axhline(0.5, color="grey", linewidth=0.5)
    figure.axes[0].set_ylabel("AUROC")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    figure.savefig(path, format="png", dpi=150, metadata={"Software": None})


@contextmanager
def _workspace(origin: str, revision: str, remote: str) -> Iterator[Path]:
    """Yield a clone at a revision, in a temporary folder, with the sweep's DVC remote."""
    with tempfile.TemporaryDirectory(prefix="graft-sweep-") as parent:
        folder = Path(parent) / "workspace"
        _run(Path(parent), "git", "clone", "--quiet", "--no-checkout", origin, str(folder))
        _run(folder, "git", "checkout", "--quiet", "--detach", revision)
        for key in (
            "user.name",
            "user.email",
        ):  # experiments are commits, and a worker may have no name
            _run(folder, "git", "config", key, "graft")
        _run(folder, "dvc", "remote", "add", "--quiet", "--local", "--default", "sweep", remote)
        yield folder


def _runner(kind: str, scheduler: str | None, workers: int) -> object:
    if kind == "threads":
        return ThreadPoolTaskRunner(max_workers=workers)
    from prefect_dask import DaskTaskRunner  # late: only who asks for it needs Dask

    if scheduler:
        return DaskTaskRunner(address=scheduler)
    return DaskTaskRunner(cluster_kwargs={"n_workers": workers, "threads_per_worker": 1})


def _run(folder: Path, *words: str, more: Mapping[str, str] | None = None) -> None:
    """Run a command, with more environment variables, and log its lines; raises CommandFailed."""
    log, lines = get_run_logger(), deque(maxlen=TAIL)

    def tell(line: str) -> None:
        lines.append(line)
        log.info(line)

    if status := command.run(words, folder, tell, {**command.SHARING, **(more or {})}):
        raise CommandFailed("\n".join([f"{' '.join(words[:3])} ended with {status}:", *lines]))


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def _title(values: dict[str, object]) -> str:
    return ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )


def main() -> None:
    """Run the flow from a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.sweep", description="Try values of parameters."
    )
    parser.add_argument(
        "-S",
        dest="grid",
        action="append",
        default=[],
        metavar="key=value,value",
        help="what to try",
    )
    parser.add_argument(
        "--repository", help="git URL that every worker can clone (default: this one)"
    )
    parser.add_argument("--remote", help="URL of the DVC storage that the points share")
    parser.add_argument("--dask", action="store_true", help="run the points on Dask")
    parser.add_argument("--scheduler", help="address of a running Dask scheduler")
    parser.add_argument(
        "--workers", type=int, default=2, help="points at once (default: %(default)s)"
    )
    words = parser.parse_args()
    grid = dict(override(parser, word) for word in words.grid)
    state = sweep(
        grid={key: [parse(value) for value in values.split(",")] for key, values in grid.items()}
        or None,
        repository=words.repository,
        remote=words.remote,
        task_runner="dask" if words.dask or words.scheduler else "threads",
        scheduler=words.scheduler,
        workers=words.workers,
        return_state=True,
    )
    sys.exit(0 if state.is_completed() else f"error: {state.message}")


if __name__ == "__main__":
    main()
