"""The metrics of a run, published: one JSON document under an address that people know.

<destination>/runs/<start>-<revision>.json    every run
<destination>/latest.json                     the newest one that kept its gates
"""

import json
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import fsspec
import jsonschema
from fsspec.implementations.local import LocalFileSystem
from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import BaseModel
from ruamel.yaml import YAML

from flows import graph
from graft.common.files import read_json, whole_file, write_json

METRICS = Path("metrics/metrics.json")
KEPT = Path(".graft/published")  # each document stays here too, whatever becomes of the destination
SCHEMA = Path(__file__).with_name("published.schema.json")
SCHEMA_VERSION = 1
LATEST = "latest.json"
LIBRARIES = ("dvc", "monai", "numpy", "prefect", "scikit-learn", "torch")


class Gate(BaseModel, extra="forbid"):
    """A bound for one metric, of which more is better, named by its path in metrics.json.

    `least` is the lowest value that passes, `drop` how far it may fall below the value in latest.json.
    A metric that is null or missing does not pass.
    """

    metric: str
    least: float | None = None
    drop: float | None = None


def assemble(root: Path, started: datetime) -> dict:
    """The document of the run that ends now, checked against published.schema.json."""
    yaml = YAML(typ="safe")
    locks = [yaml.load(root / name) for name in graph.LOCKS if (root / name).is_file()]
    document = {
        "schema_version": SCHEMA_VERSION,
        "started": _time(started),
        "ended": _time(datetime.now(UTC)),
        "git": {
            "revision": _git(root, "rev-parse", "HEAD"),
            "dirty": bool(_git(root, "status", "--porcelain")),
        },
        "params": yaml.load(root / "params.yaml"),
        "stages": {
            name: _hashes(stage) for lock in locks for name, stage in lock["stages"].items()
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
        "device": _device(),
        "metrics": read_json(root / METRICS),
    }
    check(document)
    return document


def check(document: dict) -> None:
    """Compare with published.schema.json; raises jsonschema.ValidationError."""
    jsonschema.Draft202012Validator(read_json(SCHEMA)).validate(document)


def report(document: dict, destination: str | None, gates: list[Gate]) -> State:
    """Keep the document, publish it where there is a destination, show it in Prefect, and hold it against the gates."""
    name = file_name(document)
    with whole_file(KEPT / name) as path:
        write_json(path, document)
    create_table_artifact(
        key="metrics", table=table(document["metrics"]), description="Metrics with their intervals"
    )
    if destination is None:
        problems = failures(gates, document, None)
        return (
            Failed(message="; ".join(problems))
            if problems
            else Completed(message="not published: no destination")
        )
    state = publish(document, destination, gates, return_state=True)
    if state.is_completed():
        return Completed(message=state.message)
    return Failed(message=f"{state.message}; the document is kept in {KEPT / name}")


@task(
    name="publish",
    task_run_name="publish",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=[2, 10, 30],
)
def publish(document: dict, destination: str, gates: list[Gate]) -> State:
    """Write the run's own file and then latest.json, each whole or not at all; the same document again changes nothing.

    Where a gate does not hold, latest.json stays as it was and the state is failed.
    """
    files, folder = fsspec.url_to_fs(destination)
    before = read(files, f"{folder}/{LATEST}")
    own = f"runs/{file_name(document)}"
    write(files, f"{folder}/{own}", document)
    get_run_logger().info("published %s", f"{destination}/{own}")
    create_markdown_artifact(key="comparison", markdown=comparison(document, before))
    create_link_artifact(
        key="published", link=f"{destination}/{own}", description="The document of this run"
    )
    if problems := failures(gates, document, before):
        return Failed(name="GateClosed", message=f"{LATEST} stays as it was: {'; '.join(problems)}")
    write(files, f"{folder}/{LATEST}", document)
    return Completed(message=f"published {destination}/{own}")


def file_name(document: dict) -> str:
    """The name of a run's own file: its start and its revision."""
    started = document["started"].replace("-", "").replace(":", "")
    return f"{started}-{document['git']['revision'][:12]}.json"


def read(files: fsspec.AbstractFileSystem, path: str) -> dict | None:
    """The document at a path, or None where there is none."""
    try:
        return json.loads(files.cat_file(path))
    except FileNotFoundError:
        return None


def write(files: fsspec.AbstractFileSystem, path: str, document: dict) -> None:
    """Write a document whole or not at all: object stores do so by themselves, a folder by renaming."""
    content = (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
    if not isinstance(files, LocalFileSystem):
        files.pipe_file(path, content)
        return
    with whole_file(Path(path)) as partial:
        partial.write_bytes(content)


def failures(gates: list[Gate], document: dict, before: dict | None) -> list[str]:
    """What the gates have against a document, a sentence each."""
    found = []
    for gate in gates:
        value, former = (
            _look_up(each["metrics"], gate.metric) if each else None for each in (document, before)
        )
        if value is None:
            found.append(f"{gate.metric} is not there, expected a number")
        elif gate.least is not None and value < gate.least:
            found.append(f"{gate.metric} is {value:g}, expected at least {gate.least:g}")
        elif gate.drop is not None and former is not None and value < former - gate.drop:
            found.append(
                f"{gate.metric} fell from {former:g} to {value:g}, expected a drop of at most {gate.drop:g}"
            )
    return found


def table(metrics: dict) -> list[dict[str, str]]:
    """A row a model and baseline: AUROC with its interval on each part, and the gain over scratch."""
    rows = []
    known = {
        name: model for name, model in (metrics["models"] | metrics["baselines"]).items() if model
    }
    for name, model in known.items():
        gain = metrics["transfer_gain"].get(name, {})
        row = {"model": name.replace("_", " ")}
        for part in ("test", "external"):
            row[f"AUROC, {part}"] = _interval(model[part] and model[part]["auroc"])
            row[f"gain over scratch, {part}"] = _interval(gain.get(part), "+")
        rows.append(row)
    return rows


def comparison(document: dict, before: dict | None) -> str:
    """This run beside the one published before, in Markdown."""
    metrics = document["metrics"]
    lines = [
        f"**Transfer: {metrics['verdict']}.** Best by {metrics['chosen']['by']}: {metrics['chosen']['model']}.",
        "",
    ]
    if before is None:
        return "\n".join([*lines, "No run was published here before."])
    lines += [f"Before: {before['started']}, revision {before['git']['revision'][:12]}.", ""]
    if changed := _differences(before["params"], document["params"]):
        lines += ["Parameters that differ: " + ", ".join(changed) + ".", ""]
    lines += ["| AUROC, test | before | now | change |", "| --- | --- | --- | --- |"]
    for name, model in metrics["models"].items():
        now = _look_up(model, "test.auroc.value")
        then = _look_up(before["metrics"], f"models.{name}.test.auroc.value")
        change = "" if None in (now, then) else f"{now - then:+.3f}"
        lines.append(f"| {name} | {_number(then)} | {_number(now)} | {change} |")
    return "\n".join(lines)


def _differences(before: dict, now: dict, prefix: str = "") -> list[str]:
    found = []
    for key in sorted(before.keys() | now.keys()):
        then, here = before.get(key), now.get(key)
        if isinstance(then, dict) and isinstance(here, dict):
            found += _differences(then, here, f"{prefix}{key}.")
        elif then != here:
            found.append(f"`{prefix}{key}` {then} → {here}")
    return found


def _look_up(content: dict, path: str) -> float | None:
    for key in path.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, int | float) else None


def _interval(estimate: dict | None, sign: str = "") -> str:
    if estimate is None:
        return ""
    return f"{_number(estimate['value'], sign)} [{_number(estimate['low'], sign)}, {_number(estimate['high'], sign)}]"


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.3f}"


def _hashes(stage: dict) -> dict:
    return {
        kind: {item["path"]: item.get("md5") or item.get("hash") for item in stage.get(kind, [])}
        for kind in ("deps", "outs")
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _device() -> str:
    if not shutil.which("nvidia-smi"):
        return f"CPU ({platform.machine()})"
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    names = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()
    return ", ".join(names) or f"CPU ({platform.machine()})"


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()
