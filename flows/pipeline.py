"""The flow that runs the pipeline of dvc.yaml: one task a stage, independent stages side by side.

    python -m flows.pipeline -S lambda=0.1 --destination published

DVC says which stages there are, whether one must run, and runs it; nothing here knows what a stage does.
"""

import argparse
import json
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows import command, gpus, graph, publish
from flows.locks import locked
from flows.mend import mend

ROOT = Path(__file__).parents[1]
LOCK = ROOT / ".graft/flow.lock"  # held by the flow that runs in this folder
TAIL = 20  # lines of a failed stage that its task's state repeats
MANY = 256  # threads: a task that waits for others holds one

_unfinished: set[str] = set()  # stages of the run


@flow(name="pipeline", task_runner=ThreadPoolTaskRunner(max_workers=MANY))
def pipeline(
    overrides: dict[str, object] | None = None,
    targets: list[str] | None = None,
    destination: str | None = None,
    remote: str | None = None,
    gates: list[publish.Gate] | None = None,
) -> State:
    """Run the pipeline of dvc.yaml and publish its metrics.

    Args:
        overrides: parameters by their keys in params.yaml, as `dvc exp run -S` takes them and as it does left there.
        targets: stages to run with all that they wait for; every stage of dvc.yaml if there are none.
        destination: folder or fsspec URL to publish the metrics under; nothing is published without one.
        remote: DVC remote to pull earlier runs from, and to push this one's to.
        gates: bounds that the metrics must keep for `latest.json` to become this run's.
    """
    LOCK.parent.mkdir(exist_ok=True)
    with locked([LOCK], "this folder"):
        try:
            return _pipeline(overrides or {}, targets or [], destination, remote, gates or [])
        except (DvcException, ValueError) as error:
            reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
            return Failed(message=reason)
        finally:
            command.end_all()
            mend(ROOT)


def _pipeline(
    overrides: Mapping[str, object],
    targets: Sequence[str],
    destination: str | None,
    remote: str | None,
    gates: list[publish.Gate],
) -> State:
    started, log = datetime.now(UTC), get_run_logger()
    if problem := _prepare(overrides, remote):
        return Failed(message=problem)
    states = _run(graph.stages(ROOT, targets), graph.changed(ROOT))
    failed = {name: state.message for name, state in states.items() if state.is_failed()}
    if failed:
        left = [name for name, state in states.items() if not state.is_final()]
        log.error("failed: %s; not started: %s", ", ".join(failed), ", ".join(left) or "none")
        return Failed(message="\n\n".join(failed.values()))
    ran = [name for name, state in states.items() if state.name == "Ran"]
    log.info("%d stages ran, %d had been run before", len(ran), len(states) - len(ran))
    if remote and (problem := _dvc("push", "--run-cache", "--remote", remote)):
        return Failed(message=problem)
    if not (ROOT / publish.METRICS).is_file():
        return Completed(message=f"{len(ran)} stages ran; there are no metrics to publish")
    return publish.report(publish.assemble(ROOT, started), destination, gates)


@task(name="stage", cache_policy=NO_CACHE)
def run_stage(stage: graph.Stage, changed: bool, upstream: list[bool]) -> State[bool]:
    """Have DVC bring a stage up to date; the state is named `Ran` or `Cached`, its data says whether outs may differ.

    `upstream` says the same of the stages that this one waits for.
    """
    try:
        if changed or any(upstream):
            return _repro(stage)
        return Completed(name="Cached", message="nothing changed", data=False)
    finally:
        _unfinished.discard(stage.name)


def _repro(stage: graph.Stage) -> State[bool]:
    log, lines = get_run_logger(), deque(maxlen=TAIL)
    ran = False
    sharing = command.SHARING if _unfinished.intersection(stage.beside) else {}

    def tell(line: str) -> None:
        nonlocal ran
        ran = ran or line == f"Running stage '{stage.name}':"
        lines.append(line)
        log.info(line)

    with gpus.slot(stage.gpu) as environment:
        words = ["dvc", "--wait-for-lock", "repro", "--single-item", stage.name]
        status = command.run(words, ROOT, tell, {**sharing, **environment})
    if status:
        return Failed(message="\n".join([f"stage {stage.name} ended with {status}:", *lines]))
    if ran:
        return Completed(name="Ran", data=True)
    return Completed(name="Cached", message="restored by DVC", data=True)


def _run(stages: list[graph.Stage], changed: set[str]) -> dict[str, State]:
    """Submit every stage, each to start when those that it waits for are done; returns how each ended."""
    _unfinished.clear()
    _unfinished.update(stage.name for stage in stages)
    futures: dict[str, PrefectFuture] = {}
    for stage in stages:
        named = run_stage.with_options(task_run_name=stage.name.rpartition(":")[2])
        futures[stage.name] = named.submit(
            stage, stage.name in changed, [futures[name] for name in stage.after]
        )
    for future in futures.values():
        future.wait()
    return {name: future.state for name, future in futures.items()}


def _prepare(overrides: Mapping[str, object], remote: str | None) -> str | None:
    """Mend what a kill left, set the parameters and pull; returns what went wrong."""
    mend(ROOT)
    if overrides:
        apply_overrides(
            ROOT / "params.yaml", [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
        )
    if not remote:
        return None
    pull = ("pull", "--allow-missing", "--remote", remote)
    # What a stage was killed over is nobody's work and may go; data that somebody changed may not.
    stages = [name for name in graph.FILES if (ROOT / name).is_file()]
    return _dvc(*pull, "--run-cache", "--force", *stages) or _dvc(*pull)


def _dvc(*words: str) -> str | None:
    """Run a DVC command and log its lines; returns what went wrong."""
    log, lines = get_run_logger(), deque(maxlen=TAIL)

    def tell(line: str) -> None:
        lines.append(line)
        log.info(line)

    status = command.run(["dvc", "--wait-for-lock", *words], ROOT, tell)
    return "\n".join([f"dvc {' '.join(words)} ended with {status}:", *lines]) if status else None


def main() -> None:
    """Run the flow from a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.pipeline", description="Run the pipeline of dvc.yaml."
    )
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="stage",
        help="run these and what they wait for (default: all)",
    )
    parser.add_argument(
        "-S",
        dest="overrides",
        action="append",
        default=[],
        metavar="key=value",
        help="set a parameter",
    )
    parser.add_argument("--destination", help="folder or fsspec URL to publish the metrics under")
    parser.add_argument(
        "--remote", help="DVC remote to pull earlier runs from and to push this one's to"
    )
    words = parser.parse_args()
    overrides = dict(override(parser, word) for word in words.overrides)
    state = pipeline(
        overrides={key: parse(value) for key, value in overrides.items()},
        targets=words.targets or None,
        destination=words.destination,
        remote=words.remote,
        return_state=True,
    )
    sys.exit(0 if state.is_completed() else f"error: {state.message}")


def override(parser: argparse.ArgumentParser, word: str) -> tuple[str, str]:
    """The key and the value of `key=value`; the parser ends with a line where it is something else."""
    key, equals, value = word.partition("=")
    if not (key and equals and value):
        parser.error(f"-S: got {word!r}, expected key=value")
    return key, value


def parse(value: str) -> object:
    """A value as JSON, or as a string where it is none."""
    try:
        return json.loads(value)
    except ValueError:
        return value


if __name__ == "__main__":
    main()
