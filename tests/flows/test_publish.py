"""Publishing to a folder and to an S3 server on loopback, with gates."""

import json
import logging
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from flows import publish
from flows.document import file_name
from flows.publish import check_destination, publish_document, write_document
from graft.common.files import InputError
from graft.common.gates import Gate
from tests.flows.documents import AUROC, document
from tests.flows.seen import published_files

ROOT = Path(__file__).parents[2]
LATER = "2026-01-03T03:04:05Z"


@pytest.fixture
def artifacts(monkeypatch) -> dict[str, dict]:
    """What the publishing task shows in Prefect, collected so that it runs without a flow."""
    shown: dict[str, dict] = {}

    def collect(key: str, **content: object) -> None:
        shown[key] = content

    monkeypatch.setattr(publish, "create_markdown_artifact", collect)
    monkeypatch.setattr(publish, "create_link_artifact", collect)
    monkeypatch.setattr(publish, "get_run_logger", lambda: logging.getLogger("test"))
    return shown


@pytest.fixture(params=["folder", "bucket"])
def destination(request, tmp_path) -> str:
    if request.param == "bucket":
        return request.getfixturevalue("bucket")
    return str(tmp_path / "nightly")


@pytest.mark.parametrize(
    "name",
    ["", "  ", ".", "./", "folder/..", "{root}", "file://{root}", "nowhere://here", "a file"],
)
def test_a_destination_that_cannot_be_meant_is_refused_before_the_run(tmp_path, monkeypatch, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a file").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="^destination: got .*, expected a folder other than"):
        check_destination(name.format(root=tmp_path), tmp_path)
    for usual in (None, "published", "../elsewhere", "s3://bucket/graft"):
        check_destination(usual, tmp_path)


def test_publishing_a_run_twice_is_the_same_as_once(destination, artifacts):
    run = document()
    for _ in range(2):
        assert publish_document.fn(run, destination, []).is_completed()
        assert published_files(destination) == {
            "latest.json": run,
            "runs/20260102T030405Z-0123456789ab.json": run,
        }


def test_the_latest_document_is_that_of_the_last_run(destination, artifacts):
    last = document(0.7, LATER)
    publish_document.fn(document(), destination, [])
    publish_document.fn(last, destination, [])
    found = published_files(destination)
    assert len(found) == 3
    assert found["latest.json"] == last
    assert "| bagging | 0.800 | 0.700 | -0.100 |" in artifacts["comparison"]["markdown"]
    assert artifacts["published"]["link"] == f"{destination}/runs/{file_name(last)}"


def test_a_run_that_fails_a_gate_is_published_but_not_as_the_latest(tmp_path, artifacts):
    destination = str(tmp_path)
    before, worse = document(), document(0.7, LATER)
    publish_document.fn(before, destination, [])
    state = publish_document.fn(worse, destination, [Gate(metric=AUROC, drop=0.05)])
    assert state.is_failed()
    assert "fell from 0.8 to 0.7, expected a drop of at most 0.05" in state.message
    found = published_files(destination)
    assert found["latest.json"] == before
    assert found[f"runs/{file_name(worse)}"] == worse


def test_a_write_that_fails_leaves_the_former_file(tmp_path, monkeypatch):
    path = tmp_path / "latest.json"
    write_document(LocalFileSystem(), str(path), document())
    before = path.read_bytes()

    def fill_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_disk)
    with pytest.raises(OSError, match="No space left"):
        write_document(LocalFileSystem(), str(path), document(0.1))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


PUBLISH = """
import json
from pathlib import Path
from prefect import flow
from flows import publish
publish.publish_document.retry_delay_seconds = 0

@flow
def run():
    document = json.loads(Path("document.json").read_text())
    return publish.publish_run(document, "s3://graft/nightly", [])

state = run(return_state=True)
print(state.name, state.message)
"""


def test_a_destination_that_is_down_fails_after_retries_and_the_document_is_kept(tmp_path, server):
    with socket.socket() as free:  # a port on which nothing listens
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "document.json").write_text(json.dumps(document()))
    environment = {
        **server,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_MAX_ATTEMPTS": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", PUBLISH]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    told = done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Failed "), told
    assert "Could not connect" in last, told
    kept = tmp_path / ".graft/published" / file_name(document())
    assert str(kept.relative_to(tmp_path)) in last
    assert json.loads(kept.read_text()) == document()
    assert done.stderr.count("Retry") >= 3 or done.stdout.count("AwaitingRetry") >= 3
