"""A version in MLflow: parameters, metrics with their intervals, the model and its stages."""

import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graft.common.files import InputError, read_json
from graft.common.gates import look_up
from graft.common.lock_files import producers, read_lock, used_parameters
from graft.common.shown import first_line
from graft.registry.history import History, Version, read_history
from graft.registry.project import Project
from graft.registry.runs import Summary, files_of, summarise

LOCK, PARAMETERS = "dvc.lock", "params.yaml"  # DVC's own names
BATCH = 100  # parameters or metrics that MLflow takes at once
MODEL = "model"  # the folder of the artifacts
VERSION = "graft.version"  # a tag of runs and model versions
# Nothing about a run leaves the machine unasked, and a server that is down is no reason to wait.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


def log_version(project: Project, metrics: Path, name: str | None, uri: str) -> Iterator[str]:
    """Log a version to an MLflow server or database, and bring its aliases up to date.

    A version that is there already is not logged again.

    Args:
        project: the repository.
        metrics: the path of metrics.json.
        name: of the version; None: the highest.
        uri: of the tracking server, such as https://… or sqlite:///mlflow.db.

    Yields:
        Lines for the user.

    Raises:
        InputError: if there is no such version, if its files cannot be read, or if MLflow is not
            installed or fails.
    """
    history = read_history(project.scm, project.artifact)
    version = _pick(history, name)
    client, failure = _connect(uri)
    try:
        yield from _log(client, project, metrics, version)
        yield from _update_aliases(client, _model_name(project), history)
    except failure as error:
        raise InputError(f"MLflow: {first_line(error)}") from error


def _pick(history: History, name: str | None) -> Version:
    if not history.versions:
        raise InputError("no version to log; `graft promote --version v1.0.0` makes the first")
    for version in history.versions:
        if name in (None, version.name):
            return version
    names = ", ".join(version.name for version in history.versions)
    raise InputError(f"--version: got {name}, expected one of {names}")


def _connect(uri: str) -> tuple[Any, type[Exception]]:
    """A client of MLflow and the error that it raises."""
    for key, value in SETTINGS.items():
        os.environ.setdefault(key, value)
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise InputError("MLflow is not installed; run `pip install mlflow-skinny`") from error
    try:
        return MlflowClient(tracking_uri=uri, registry_uri=uri), MlflowException
    except MlflowException as error:
        raise InputError(f"MLflow: {first_line(error)}") from error


def _log(client: Any, project: Project, metrics: Path, version: Version) -> Iterator[str]:
    """Make a run and a model version, unless a finished run of this version is there."""
    name = _model_name(project)
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name)
    wanted = f"tags.`{VERSION}` = '{version.name}' and attributes.status = 'FINISHED'"
    if client.search_runs([experiment], wanted):
        yield f"{version.name} is in MLflow already"
        return
    run = client.create_run(experiment, run_name=version.name)
    status = "FAILED"
    try:
        _fill(client, run.info.run_id, project, metrics, version)
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        made = client.create_model_version(
            name,
            source=f"{run.info.artifact_uri}/{MODEL}",
            run_id=run.info.run_id,
            tags={VERSION: version.name},
        )
        status = "FINISHED"
    finally:
        client.set_terminated(run.info.run_id, status)
    yield f"{version.name} logged: run {run.info.run_id}, version {made.version} of {name}"


def _fill(client: Any, run: str, project: Project, metrics: Path, version: Version) -> None:
    """Write parameters, metrics, tags, metrics.json and the folder of the model to a run."""
    document, model = project.relative(metrics), project.relative(project.model)
    lock = project.relative(Path(project.repo.root_dir, LOCK))
    with files_of(project, version.commit, [document, model, lock]) as folder:
        path = folder / metrics.name
        content = read_json(path)
        summary = summarise(path, content)
        written = str(project.output(project.model))
        entries = producers(read_lock(folder / LOCK), [written])
        _log_values(client, run, used_parameters(entries, PARAMETERS), content, summary)
        for key, text in _tags(version, summary).items():
            client.set_tag(run, key, text)
        client.log_artifact(run, str(path))
        client.log_artifacts(run, str(folder / project.model.name), MODEL)


def _log_values(
    client: Any, run: str, parameters: Mapping, metrics: Mapping, summary: Summary
) -> None:
    from mlflow.entities import Metric, Param

    params = [Param(key, str(value)) for key, value in _flat(parameters, "")]
    for start in range(0, len(params), BATCH):
        client.log_batch(run, params=params[start : start + BATCH])
    now = int(time.time() * 1000)
    scores = [Metric(key, value, now, 0) for key, value in scores_of(metrics, summary.model)]
    for start in range(0, len(scores), BATCH):
        client.log_batch(run, metrics=scores[start : start + BATCH])


def _flat(content: Mapping, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings by their dotted keys."""
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def scores_of(metrics: Mapping, chosen: str) -> Iterator[tuple[str, float]]:
    """Yield the scores of the chosen model and its gain over scratch, with their intervals.

    A value is `test.auroc`, its interval `test.auroc.low` and `test.auroc.high`.
    """
    scores = look_up(metrics, f"models.{chosen}") or {}
    gains = look_up(metrics, f"transfer_gain.{chosen}") or {}
    for part in ("validation", "test", "external"):
        kept = dict(scores.get(part) or {})
        if gains.get(part):
            kept["gain"] = gains[part]
        for key, value in _flat(kept, f"{part}."):
            is_interval = key.endswith((".value", ".low", ".high")) and key.count(".") == 2
            if isinstance(value, int | float) and (is_interval or key.count(".") == 1):
                yield key.removesuffix(".value"), value


def _tags(version: Version, summary: Summary) -> dict[str, str]:
    return {
        VERSION: version.name,
        "graft.model": summary.model,
        "graft.verdict": summary.verdict,
        "mlflow.source.git.commit": version.commit,
    }


def _update_aliases(client: Any, name: str, history: History) -> Iterator[str]:
    """Give each stage as an alias to the model version that has it now."""
    known = {}
    for each in client.search_model_versions(f"name = '{name}'"):
        known[each.tags.get(VERSION)] = each.version
    for stage in sorted(history.stages):
        present = history.in_stage(stage)
        if present is None:
            continue
        if present.name not in known:
            yield f"{stage}: {present.name} is not in MLflow; log it with --version {present.name}"
            continue
        client.set_registered_model_alias(name, stage, known[present.name])
        yield f"{stage}: {present.name}"


def _model_name(project: Project) -> str:
    """The name of the artifact; MLflow allows neither / nor : in it."""
    return re.sub(r"[/:]", "-", project.artifact)
