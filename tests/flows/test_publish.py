"""Publishing: to a folder and to an S3 server on loopback, whole or not at all, with gates."""

import copy
import json
import logging
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import jsonschema
import pytest
from fsspec.implementations.local import LocalFileSystem
from moto.server import ThreadedMotoServer

from flows import publish
from flows.publish import Gate, assemble, check, comparison, failures, file_name, table

ROOT = Path(__file__).parents[2]
AUROC = "models.bagging.test.auroc.value"


def auroc(value: float) -> dict:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "left_out": 0}


def model(value: float) -> dict:
    return {"test": {"auroc": auroc(value)}, "external": None}


def document(bagging: float = 0.8, started: str = "2026-01-02T03:04:05Z", **params: object) -> dict:
    metrics = {
        "schema_version": 1,
        "models": {"scratch": model(0.6), "bagging": model(bagging)},
        "baselines": {"size_alone": model(0.55), "covariates_only": None},
        "transfer_gain": {
            "bagging": {"test": {**auroc(bagging - 0.6), "p": 0.01}, "external": None}
        },
        "chosen": {"model": "bagging", "by": "validation log loss"},
        "verdict": "helps",
    }
    return {
        "schema_version": 1,
        "started": started,
        "ended": "2026-01-02T03:14:05Z",
        "git": {"revision": "0123456789abcdef" * 2 + "01234567", "dirty": False},
        "params": {"lambda": 0.01, "pretrain": {"lr": 0.003}} | params,
        "stages": {"pretrain": {"deps": {"data": "12"}, "outs": {"models": "34"}}},
        "versions": {"python": "3.11", "torch": "2", "dvc": "3"},
        "device": "CPU",
        "metrics": metrics,
    }


@pytest.fixture
def quiet(monkeypatch):
    """The body of the task without a flow around it: what it shows in Prefect is collected here."""
    shown = {}
    for kind in ("markdown", "link"):
        monkeypatch.setattr(
            publish, f"create_{kind}_artifact", lambda key, **what: shown.update({key: what})
        )
    monkeypatch.setattr(publish, "get_run_logger", lambda: logging.getLogger("test"))
    return shown


@pytest.fixture
def bucket(monkeypatch):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("graft")
    yield "s3://graft/nightly"
    server.stop()


def published(destination: str) -> dict[str, dict]:
    files, folder = fsspec.url_to_fs(destination)
    files.invalidate_cache()
    return {
        path.removeprefix(f"{folder}/"): json.loads(files.cat_file(path))
        for path in files.find(folder)
    }


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_a_run_is_published_and_twice_is_once(where, request, tmp_path, quiet):
    destination = (
        str(tmp_path / "nightly") if where == "folder" else request.getfixturevalue("bucket")
    )
    one = document()
    for _ in range(2):
        assert publish.publish.fn(one, destination, []).is_completed()
        assert published(destination) == {
            "latest.json": one,
            "runs/20260102T030405Z-0123456789ab.json": one,
        }
    other = document(0.7, "2026-01-03T03:04:05Z")
    publish.publish.fn(other, destination, [])
    assert len(published(destination)) == 3 and published(destination)["latest.json"] == other
    assert "| bagging | 0.800 | 0.700 | -0.100 |" in quiet["comparison"]["markdown"]
    assert quiet["published"]["link"] == f"{destination}/runs/{file_name(other)}"


def test_a_closed_gate_keeps_the_latest(tmp_path, quiet):
    destination, before, worse = str(tmp_path), document(), document(0.7, "2026-01-03T03:04:05Z")
    publish.publish.fn(before, destination, [])
    state = publish.publish.fn(worse, destination, [Gate(metric=AUROC, drop=0.05)])
    assert (
        state.is_failed()
        and "fell from 0.8 to 0.7, expected a drop of at most 0.05" in state.message
    )
    found = published(destination)
    assert found["latest.json"] == before and found[f"runs/{file_name(worse)}"] == worse


@pytest.mark.parametrize(
    ("gate", "found"),
    [
        ({"least": 0.7}, []),
        ({"least": 0.71}, [f"{AUROC} is 0.7, expected at least 0.71"]),
        ({"drop": 0.2}, []),
        ({"drop": 0.05}, [f"{AUROC} fell from 0.8 to 0.7, expected a drop of at most 0.05"]),
    ],
)
def test_gates(gate, found):
    assert failures([Gate(metric=AUROC, **gate)], document(0.7), document(0.8)) == found


def test_a_gate_on_what_is_not_there_is_closed():
    assert failures([Gate(metric="models.bagging.external.auroc.value", least=0)], document(), None)
    assert failures([Gate(metric="models.baging", least=0)], document(), None)
    assert (
        failures([Gate(metric=AUROC, drop=0)], document(), None) == []
    )  # nothing was published before


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "latest.json"
    publish.write(LocalFileSystem(), str(path), document())
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        publish.write(LocalFileSystem(), str(path), document(0.1))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_the_comparison_names_what_differs():
    said = comparison(document(pretrain={"lr": 0.01}), document())
    assert "`pretrain.lr` 0.003 → 0.01" in said and "lambda" not in said
    assert "No run was published here before." in comparison(document(), None)


def test_the_table_has_intervals():
    rows = {row["model"]: row for row in table(document()["metrics"])}
    assert rows["bagging"]["AUROC, test"] == "0.800 [0.700, 0.900]"
    assert rows["bagging"]["gain over scratch, test"] == "+0.200 [+0.100, +0.300]"
    assert rows["size alone"]["gain over scratch, test"] == ""


def test_a_document_of_this_repository_passes_the_schema(project, surroundings):
    (project / "metrics").mkdir()
    (project / "metrics/metrics.json").write_text(json.dumps(document()["metrics"]))
    subprocess.run(["dvc", "repro", "-q"], cwd=project, env=surroundings, check=True)
    found = assemble(project, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert found["started"] == "2026-01-02T03:04:05Z" and found["params"] == {"lambda": 0.01}
    assert found["git"]["dirty"] and set(found["stages"]["both"]["deps"]) == {
        "stage.py",
        "first.txt",
        "second.txt",
    }
    assert str(project) not in json.dumps(found) and os.uname().nodename not in json.dumps(found)


@pytest.mark.parametrize("change", [{"device": None}, {"started": "yesterday"}, {"more": 1}])
def test_another_document_is_refused(change):
    with pytest.raises(jsonschema.ValidationError):
        check(copy.deepcopy(document()) | change)


def test_a_destination_that_is_down_fails_loudly_and_the_document_is_kept(tmp_path, server):
    with socket.socket() as free:  # a port where nobody listens
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = """
import json, sys
from prefect import flow
from flows import publish
publish.publish.retry_delay_seconds = 0

@flow
def run():
    return publish.report(json.load(open("document.json")), "s3://graft/nightly", [])

state = run(return_state=True)
print(state.name, state.message)
"""
    (tmp_path / "document.json").write_text(json.dumps(document()))
    down = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_MAX_ATTEMPTS": "1",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**server, **down},
        capture_output=True,
        text=True,
    )
    said = done.stdout.splitlines()[-1]
    assert said.startswith("Failed ") and "Could not connect" in said, done.stdout + done.stderr
    kept = tmp_path / ".graft/published" / file_name(document())
    assert str(kept.relative_to(tmp_path)) in said and json.loads(kept.read_text()) == document()
    assert done.stderr.count("Retry") >= 3 or done.stdout.count("AwaitingRetry") >= 3
