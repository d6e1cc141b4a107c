"""The document that a run publishes: its metrics, and the code, data and machine behind them."""

import platform
import shutil
import subprocess
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import jsonschema

from flows import graph
from flows.overrides import PARAMETERS
from graft.common.files import read_json
from graft.common.lock_files import Entry, read_lock, used_parameters

METRICS = Path("metrics/metrics.json")
SCHEMA = Path(__file__).with_name("published.schema.json")
SCHEMA_VERSION = 1
LIBRARIES = ("dvc", "monai", "numpy", "prefect", "scikit-learn", "torch")


def assemble_document(root: Path, started: datetime, entries: Mapping[str, Entry]) -> dict:
    """Return the document of the run that ends now.

    Args:
        root: the folder of the repository.
        started: when the run began.
        entries: what DVC recorded about each stage of the run.

    Raises:
        InputError: if two stages used different values of a parameter.
        jsonschema.ValidationError: if it does not match published.schema.json.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "started": format_time(started),
        "ended": format_time(datetime.now(UTC)),
        "git": {
            "revision": _git(root, "rev-parse", "HEAD"),
            "dirty": bool(_git(root, "status", "--porcelain")),
        },
        "params": used_parameters(entries, PARAMETERS),
        "stages": _stage_hashes(entries),
        "versions": _versions(),
        "device": _device(),
        "metrics": read_json(root / METRICS),
    }
    validate_document(document)
    return document


def read_entries(root: Path, stages: Collection[str]) -> dict[str, Entry]:
    """Return what DVC recorded about stages, by their names in its lock files.

    Args:
        root: the folder of the repository.
        stages: the addresses of the stages; other entries of the lock files are left out.
    """
    found = {}
    for file, lock in zip(graph.FILES, graph.LOCKS, strict=True):
        for name, entry in read_lock(root / lock).items():
            if graph.address(file, name) in stages:
                found[name] = entry
    return found


def has_metrics(entries: Mapping[str, Entry]) -> bool:
    """Return whether one of the stages wrote metrics.json."""
    outs = [out["path"] for entry in entries.values() for out in entry.get("outs", [])]
    return METRICS.as_posix() in outs


def validate_document(document: dict) -> None:
    """Raise jsonschema.ValidationError if a document does not match published.schema.json."""
    jsonschema.Draft202012Validator(read_json(SCHEMA)).validate(document)


def file_name(document: dict) -> str:
    """Return the name of a run's own file: its start and its revision."""
    started = document["started"].replace("-", "").replace(":", "")
    return f"{started}-{document['git']['revision'][:12]}.json"


def _stage_hashes(entries: Mapping[str, Entry]) -> dict[str, dict]:
    """Return what each stage read and wrote, by its name in DVC's lock files."""
    found = {}
    for name, entry in entries.items():
        found[name] = {kind: _hashes(entry.get(kind, [])) for kind in ("deps", "outs")}
    return found


def _hashes(items: list[dict]) -> dict[str, str | None]:
    return {item["path"]: item.get("md5") or item.get("hash") for item in items}


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **libraries}


def format_time(moment: datetime) -> str:
    """Return a moment as published documents write it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _device() -> str:
    names: list[str] = []
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        names = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()
    return ", ".join(names) or f"CPU ({platform.machine()})"


def _git(root: Path, *words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()
