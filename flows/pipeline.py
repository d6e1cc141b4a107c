"""The flow that runs the pipeline of dvc.yaml: one task per stage, independent stages in parallel.

    python -m flows.pipeline -S lambda=0.1 --destination published

DVC defines the stages, decides which of them must run, and runs them. Nothing here depends on
what a stage does.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from dvc.exceptions import DvcException
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows import command, graph
from flows.command_line import exit_with_state, parse_value, run_command_line, split_settings
from flows.document import assemble_document, has_metrics, read_entries
from flows.gpus import gpu_slot
from flows.locks import hold_first_free
from flows.mend import mend_dvc_files
from flows.overrides import PARAMETERS, set_parameters
from flows.publish import check_destination, publish_run
from graft.common.differences import differences
from graft.common.files import InputError
from graft.common.gates import Gate
from graft.common.parameters import read_parameter_file
from graft.common.shown import shown

ROOT = Path(__file__).parents[1]
LOCK = ROOT / ".graft/flow.lock"  # held by the flow that runs in this folder
MANY = 256  # threads: a task that waits for others occupies one
RUNNER: Any = ThreadPoolTaskRunner(max_workers=MANY)

_unfinished: set[str] = set()  # stages of this run


@flow(name="pipeline", task_runner=RUNNER)
def pipeline(
    overrides: dict[str, object] | None = None,
    targets: list[str] | None = None,
    destination: str | None = None,
    remote: str | None = None,
    gates: list[Gate] | None = None,
) -> State:
    """Run the pipeline of dvc.yaml and publish its metrics.

    Args:
        overrides: parameters by their keys in params.yaml, as in `dvc exp run -S`; the file keeps
            them.
        targets: stages to run with all that they wait for; by default every stage of dvc.yaml.
        destination: folder or fsspec URL to publish the metrics under; by default they are not
            published.
        remote: DVC remote to pull earlier runs from and to push this run to.
        gates: bounds that the metrics must keep before this run becomes `latest.json`.
    """
    LOCK.parent.mkdir(exist_ok=True)
    with hold_first_free([LOCK], "this folder"):
        try:
            return _run_and_publish(
                overrides or {}, targets or [], destination, remote, gates or []
            )
        except InputError as error:
            return Failed(message=str(error))
        except (DvcException, ValueError) as error:
            cause = f": {error.__cause__}" if error.__cause__ else ""
            return Failed(message=f"{error}{cause}")
        finally:
            command.end_all()
            mend_dvc_files(ROOT)


def _run_and_publish(
    overrides: Mapping[str, object],
    targets: Sequence[str],
    destination: str | None,
    remote: str | None,
    gates: list[Gate],
) -> State:
    started = datetime.now(UTC)
    check_destination(destination, ROOT)
    problem = _prepare(overrides, remote)
    if problem:
        return Failed(message=problem)
    parameters = read_parameter_file(ROOT / PARAMETERS)
    stages = graph.ordered_stages(ROOT, targets)
    states = _run_stages(stages, graph.changed_stages(ROOT))
    failed = {name: str(state.message) for name, state in states.items() if state.is_failed()}
    if failed:
        not_started = [name for name, state in states.items() if not state.is_final()]
        names = ", ".join(failed), ", ".join(not_started) or "none"
        get_run_logger().error("failed: %s; not started: %s", *names)
        return Failed(message="\n\n".join(failed.values()))
    ran = [name for name, state in states.items() if state.name == "Ran"]
    before = len(states) - len(ran)
    get_run_logger().info("%d stages ran, %d were up to date", len(ran), before)
    problem = _change_since(parameters)
    if problem:
        return Failed(message=problem)
    problem = _dvc("push", "--run-cache", "--remote", remote) if remote else None
    if problem:
        return Failed(message=problem)
    entries = read_entries(ROOT, [stage.name for stage in stages])
    if not has_metrics(entries):
        return Completed(message=f"{len(ran)} stages ran; there are no metrics to publish")
    return publish_run(assemble_document(ROOT, started, entries), destination, gates)


def _change_since(parameters: Mapping[str, object]) -> str | None:
    """Return an error message if params.yaml has other parameters than when the run began."""
    for found in differences(parameters, read_parameter_file(ROOT / PARAMETERS)):
        return (
            f"{PARAMETERS}: {found.key}: changed from {shown(found.first)} to "
            f"{shown(found.second)} during this run, so nothing was published; run it again"
        )
    return None


def _prepare(overrides: Mapping[str, object], remote: str | None) -> str | None:
    """Repair what a kill left, set the parameters and pull; returns the error message, if any."""
    mend_dvc_files(ROOT)
    if overrides:
        set_parameters(ROOT, overrides)
    if not remote:
        return None
    pull = ("pull", "--allow-missing", "--remote", remote)
    # Outputs that a killed stage left may be overwritten; data that a user changed may not.
    stages = [name for name in graph.FILES if (ROOT / name).is_file()]
    return _dvc(*pull, "--run-cache", "--force", *stages) or _dvc(*pull)


def _dvc(*words: str) -> str | None:
    """Run a DVC command; returns the error message, if any."""
    ended = command.run_command(["dvc", "--wait-for-lock", *words], ROOT)
    if not ended.status:
        return None
    return "\n".join([f"dvc {' '.join(words)} ended with {ended.status}:", *ended.tail])


def _run_stages(stages: list[graph.Stage], changed: set[str]) -> dict[str, State]:
    """Submit every stage, to start when those that it waits for are done; returns their states."""
    _unfinished.clear()
    _unfinished.update(stage.name for stage in stages)
    futures: dict[str, PrefectFuture] = {}
    for stage in stages:
        named = run_stage.with_options(task_run_name=stage.name.rpartition(":")[2])
        upstream: list[Any] = [
            futures[name] for name in stage.after
        ]  # Prefect passes their results
        futures[stage.name] = named.submit(stage, stage.name in changed, upstream)
    for future in futures.values():
        future.wait()
    return {name: future.state for name, future in futures.items()}


@task(name="stage", cache_policy=NO_CACHE)
def run_stage(stage: graph.Stage, changed: bool, upstream: list[bool]) -> State[bool]:
    """Have DVC bring a stage up to date.

    The state is named `Ran` or `Cached`. Its data is true if the outputs of the stage may differ.

    Args:
        stage: the stage to run.
        changed: whether DVC lists the stage as changed.
        upstream: for each stage that this one waits for, whether its outputs may differ.
    """
    try:
        if changed or any(upstream):
            return _reproduce(stage)
        return Completed(name="Cached", message="nothing changed", data=False)
    finally:
        _unfinished.discard(stage.name)


def _reproduce(stage: graph.Stage) -> State[bool]:
    sharing = command.SHARING if _unfinished.intersection(stage.beside) else {}
    words = ["dvc", "--wait-for-lock", "repro", "--single-item", stage.name]
    with gpu_slot(stage.gpu) as gpu:
        settings = {**sharing, **gpu}
        ended = command.run_command(words, ROOT, settings, f"Running stage '{stage.name}':")
    if ended.status:
        reason = f"stage {stage.name} ended with {ended.status}:"
        return Failed(message="\n".join([reason, *ended.tail]))
    if ended.seen:
        return Completed(name="Ran", data=True)
    return Completed(name="Cached", message="restored by DVC", data=True)


def main(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STAGE",
            help="The stages to run with all that they wait for (default: every stage).",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("-S", metavar="KEY=VALUE", help="Set a parameter; may be given repeatedly."),
    ] = None,
    destination: Annotated[
        str | None, typer.Option(help="The folder or fsspec URL to publish the metrics under.")
    ] = None,
    remote: Annotated[
        str | None,
        typer.Option(help="The DVC remote to pull earlier runs from and to push this run to."),
    ] = None,
) -> None:
    """Run the pipeline of dvc.yaml and publish its metrics."""
    overrides = {key: parse_value(text) for key, text in split_settings(settings).items()}
    state = pipeline(
        overrides=overrides,
        targets=targets or None,
        destination=destination,
        remote=remote,
        return_state=True,
    )
    exit_with_state(state)


if __name__ == "__main__":
    run_command_line(main)
