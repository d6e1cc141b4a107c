"""The flow that tries parameters: each point is a DVC experiment in a workspace of its own.

    python -m flows.sweep -S lambda=0,0.001,0.01,0.1,1

The points share their results, run cache included, through a DVC remote. Stages that do not
depend on the parameters, such as pretraining, run once before the points start, and a point that
was run before is restored.
"""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import typer
from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows import command
from flows.command_line import exit_with_state, parse_value, run_command_line, split_settings
from flows.locks import hold_first_free
from flows.points import prepare, run_point
from flows.sweep_table import best_row, draw_sweep, point_title
from flows.workspace import git_output
from graft.common.files import InputError, whole_file
from graft.common.secret_variables import refuse_secrets

ROOT = Path(__file__).parents[1]
SHARED = ROOT / ".graft/remote"  # the DVC remote of a sweep on one machine
LATEST = Path("metrics/sweep")  # .csv and .png: the results of the sweep that ended last
SWEEPS = Path("metrics/sweeps")  # the results of every sweep
LOCK = Path(".graft/sweep.lock")  # held while a sweep writes its results
LAMBDAS = (0.0, 0.001, 0.01, 0.1, 1.0)


@flow(name="lambda-sweep")
def sweep(
    grid: dict[str, list[object]] | None = None,
    repository: str | None = None,
    remote: str | None = None,
    task_runner: Literal["threads", "dask"] = "threads",
    scheduler: str | None = None,
    workers: int = 2,
) -> State:
    """Run every point of a grid of parameters and report which is best by validation.

    Args:
        grid: parameters by their keys in params.yaml, each with its values; by default values of
            lambda.
        repository: git URL that every worker can clone; by default this folder, for workers on
            this machine.
        remote: URL of the DVC storage that every worker can reach; by default a folder of this
            repository.
        task_runner: `threads` of this process, or `dask`.
        scheduler: address of a running Dask scheduler (`tcp://host:8786`); by default Dask runs
            on this machine.
        workers: how many points run at once: threads, or processes of the cluster on this machine.
    """
    grid = grid or {"lambda": list(LAMBDAS)}
    keys = list(grid)
    remote = remote or str(SHARED)
    try:
        refuse_secrets(grid, "grid")
    except InputError as error:
        return Failed(message=str(error))
    revision = git_output(ROOT, "rev-parse", "HEAD")
    if git_output(ROOT, "status", "--porcelain", "--untracked-files=no"):
        get_run_logger().warning("the sweep leaves out changes that are not committed")
    points = [dict(zip(keys, values, strict=True)) for values in itertools.product(*grid.values())]
    try:
        prepared = prepare(str(ROOT), revision, remote, keys, return_state=True)
        if not prepared.is_completed():
            return Failed(message=prepared.message)
        runner = _build_runner(task_runner, scheduler, workers)
        fan_out: Any = run_points.with_options(task_runner=runner)
        states: list[State] = fan_out(points, repository or str(ROOT), revision, remote)
        return _report(states, keys)
    finally:
        command.end_all()


@flow(name="points")
def run_points(points: list[dict[str, object]], origin: str, revision: str, remote: str) -> State:
    """Run the points on the flow's task runner and return the state in which each ended."""
    futures: list[PrefectFuture] = []
    for values in points:
        named = run_point.with_options(task_run_name=point_title(values))
        futures.append(named.submit(values, origin, revision, remote))
    for future in futures:
        future.wait()
    return Completed(data=[future.state for future in futures])


def _report(states: list[State], keys: list[str]) -> State:
    """Write the table and the plot of the points that completed; fails if a point failed."""
    rows = []
    failed = []
    for state in states:
        if state.is_completed():
            rows += state.result()
        else:
            failed.append(str(state.message))
    own = SWEEPS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{flow_run.name}"
    if rows:
        _write_report(pd.DataFrame(rows), keys, own)
    if failed:
        return Failed(message="\n\n".join(failed))
    return Completed(message=f"{len(states)} points, see {own}.csv")


def _write_report(table: pd.DataFrame, keys: list[str], own: Path) -> None:
    """Write the table and the plot to files of this sweep's own, and to those of the latest."""
    best = best_row(table)
    chosen = table.iloc[best]
    table["best"] = [k == best for k in range(len(table))]
    (ROOT / LOCK).parent.mkdir(exist_ok=True)
    with hold_first_free([ROOT / LOCK], "the results of sweeps"):
        for place in (ROOT / own, ROOT / LATEST):
            with whole_file(place.with_name(f"{place.name}.csv")) as path:
                table.to_csv(path, index=False, lineterminator="\n")
            with whole_file(place.with_name(f"{place.name}.png")) as path:
                draw_sweep(table, keys, path)
    point = point_title({key: chosen[key] for key in keys})
    loss = chosen["validation_log_loss"]
    summary = f"Best by validation log loss: {point}, {chosen['model']} ({loss:.4f})"
    get_run_logger().info(summary)
    rows = json.loads(table.round(4).to_json(orient="records"))
    create_table_artifact(key="sweep", table=rows, description=summary)


def _build_runner(kind: str, scheduler: str | None, workers: int) -> Any:
    if kind == "threads":
        return ThreadPoolTaskRunner(max_workers=workers)
    from prefect_dask import DaskTaskRunner  # imported late: only sweeps on Dask need it

    if scheduler:
        return DaskTaskRunner(address=scheduler)
    return DaskTaskRunner(cluster_kwargs={"n_workers": workers, "threads_per_worker": 1})


def main(
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "-S",
            metavar="KEY=VALUE,VALUE",
            help="The values of a parameter to try; may be given repeatedly (default: lambda).",
        ),
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option(help="The git URL that every worker can clone (default: this folder)."),
    ] = None,
    remote: Annotated[
        str | None,
        typer.Option(help="The URL of the DVC storage that the points share (default: a folder)."),
    ] = None,
    dask: Annotated[bool, typer.Option("--dask", help="Run the points on Dask.")] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(help="The address of a running Dask scheduler, such as tcp://host:8786."),
    ] = None,
    workers: Annotated[int, typer.Option(help="How many points run at once.")] = 2,
) -> None:
    """Run every point of a grid of parameters and report which is best by validation."""
    grid = {}
    for key, texts in split_settings(settings).items():
        grid[key] = [parse_value(text) for text in texts.split(",")]
    state = sweep(
        grid=grid or None,
        repository=repository,
        remote=remote,
        task_runner="dask" if dask or scheduler else "threads",
        scheduler=scheduler,
        workers=workers,
        return_state=True,
    )
    exit_with_state(state)


if __name__ == "__main__":
    run_command_line(main)
