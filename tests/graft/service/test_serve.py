"""`graft serve` as a process: what it prints, refuses and leaves behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from benchmarks.service.damaged import attack, make_bombs
from benchmarks.service.known import Known
from benchmarks.service.served import TOKEN, serving
from graft.common.files import InputError
from graft.service.model_page import read_model_card
from graft.service.serve import (
    Service,
    _check_address,
    _delete_stale_sockets,
    _find_token,
    _private_folder,
)
from tests.commands import run_module
from tests.graft.service.conftest import LEFT, LESION

ROOT = Path(__file__).parents[3]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A temporary folder with a path that is short enough for a socket."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def known(predictor, scan) -> Known:
    position = tuple(float(mm) for mm in LESION.values())
    document = predictor.predict(scan, at=position).document()
    return Known.of(scan, position, document)


def test_damaged_uploads_harm_nobody(served, known, tmp_path):
    bombs = make_bombs(tmp_path, 20, heavy=False)
    outcome = attack(served, [known], range(40), 4, bombs, tmp_path, 5)
    assert outcome.faults == []
    assert sum(outcome.statuses.values()) == 40
    assert set(outcome.statuses) <= {200, 400, 413, 415, 422, 503}
    assert outcome.good == 10
    assert "Loudvoice" not in served.log.read_text()
    assert served.uploads() == []


def test_an_upload_is_there_while_it_is_read_and_not_later(served, scan):
    content = scan.read_bytes()
    seen = []

    def parts():
        yield (
            b'--b\r\nContent-Disposition: form-data; name="scan"; '
            b'filename="Loudvoice.nii.gz"\r\n\r\n'
        )
        yield content * 40  # more than is kept in memory
        time.sleep(0.1)
        seen.extend(path.name for path in served.temporary.rglob("*"))
        yield b"\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    with served.client() as client:
        client.post("/slices", content=parts(), headers=headers)
    assert not any("Loudvoice" in name for name in seen)
    assert served.uploads() == []


@pytest.mark.parametrize("share", [0.5, 1])
def test_a_client_that_leaves_leaves_nothing(served, known, share):
    body = (
        b'--b\r\nContent-Disposition: form-data; name="scan"; filename="a.nii.gz"\r\n\r\n'
        + known.scan.read_bytes() * 100
        + b"\r\n--b--\r\n"
    )
    head = (
        f"POST /slices HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    port = int(served.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(head.encode() + body[: int(share * len(body))])
    with served.client() as client:
        assert known.is_answered_by(known.send(client))
    for _ in range(200):
        if not served.uploads():
            break
        time.sleep(0.05)
    assert served.uploads() == []


def test_the_service_is_reached_only_on_this_machine_and_prints_no_token_it_was_given(served):
    [connection] = [
        found
        for found in psutil.Process(served.process.pid).net_connections("tcp")
        if found.status == psutil.CONN_LISTEN
    ]
    assert connection.laddr.ip == "127.0.0.1"
    assert TOKEN not in served.log.read_text()


@pytest.mark.slow
def test_a_killed_service_leaves_no_process_and_the_next_deletes_its_uploads(
    model_folder, short_path
):
    with serving(model_folder, short_path) as first:
        workers = psutil.Process(first.process.pid).children(recursive=True)
        assert len(workers) >= 2
        [folder] = first.temporary.glob("graft-serve-*/.uploads.*")
        (folder / "left").write_bytes(b"a scan")
        first.end(signal.SIGKILL)
        psutil.wait_procs(workers, 20)
        assert not any(worker.is_running() for worker in workers)
        assert (folder / "left").exists()
    with serving(model_folder, short_path) as second:
        assert not folder.exists()
        assert second.end() == 0
    assert list(short_path.glob("temporary/graft-serve-*/.*")) == []


def test_what_a_killed_service_left_is_deleted(served):
    assert not list(served.temporary.rglob(LEFT))
    assert len(list(served.temporary.glob("graft-serve-*/.uploads.*.partial"))) == 1


def test_sockets_of_a_running_service_are_kept(tmp_path):
    ours, others = tmp_path / ".uploads.0.partial", tmp_path / ".uploads.1.partial"
    for folder in (ours, others, tmp_path / "pymp-0"):
        folder.mkdir()
    _delete_stale_sockets(tmp_path, ours)
    assert (tmp_path / "pymp-0").exists()
    others.rmdir()
    _delete_stale_sockets(tmp_path, ours)
    assert list(tmp_path.iterdir()) == [ours]


def test_a_model_with_another_hash_is_refused_with_one_line(model_folder, short_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(short_path))
    done = run_module("graft", "serve", str(model_folder), "--port", "0", "--sha256", "0" * 64)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"expected {'0' * 64}" in done.stderr
    assert list(short_path.glob("graft-serve-*/.uploads*")) == []


@pytest.mark.parametrize("name", ["weights.safetensors", "card.json", "fitted.json"])
def test_a_model_that_was_changed_is_refused(model_folder, short_path, name):
    changed = shutil.copytree(model_folder, short_path / "changed")
    content = bytearray((changed / name).read_bytes())
    content[len(content) // 2] ^= 1
    (changed / name).write_bytes(content)
    # A process of its own, because multiprocessing keeps the folder of its first socket.
    done = subprocess.run(
        [sys.executable, "-m", "graft", "serve", changed, "--port", "0"],
        env={**os.environ, "TMPDIR": str(short_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert name in done.stderr


def test_a_model_card_that_was_edited_says_so(model_folder, tmp_path):
    assert "edited" not in read_model_card(model_folder)["html"]
    changed = shutil.copytree(model_folder, tmp_path / "changed")
    (changed / "README.md").write_text("# Another title\n")
    found = read_model_card(changed)
    assert found["markdown"] == "# Another title\n"
    line, title = found["html"].splitlines()
    assert line == "<p><strong>This card was edited after the release.</strong></p>"
    assert title == "<h3>Another title</h3>"


def test_a_device_that_there_is_not_is_wrong_usage(model_folder):
    done = run_module("graft", "serve", str(model_folder), "--device", "tpu")
    assert done.returncode == 2
    assert "'tpu' is not one of 'auto', 'cpu', 'cuda'" in " ".join(done.stderr.split())


def test_a_missing_extra_is_named(model_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "graft.service.serve")
    done = run_module("graft", "serve", str(model_folder))
    assert done.returncode == 1
    assert done.stderr.startswith("error: graft serve: needs uvicorn, which is not installed")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_another_address_needs_the_names_of_the_service(host):
    with pytest.raises(InputError, match="--allow-host"):
        _check_address(host, ())
    _check_address(host, ("scans.example",))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_an_address_of_this_machine_needs_nothing(host):
    _check_address(host, ())


def test_a_host_that_is_no_address_is_refused():
    with pytest.raises(InputError, match="--host: got 'example.org'"):
        _check_address("example.org", ("example.org",))


def test_a_token_comes_from_a_file_or_the_environment_or_is_new(tmp_path, monkeypatch):
    first, is_new = _find_token(None)
    assert is_new
    assert len(first) >= 40
    assert _find_token(None)[0] != first
    monkeypatch.setenv("GRAFT_SERVE_TOKEN", "x" * 16)
    assert _find_token(None) == ("x" * 16, False)
    path = tmp_path / "token"
    path.write_text("a-token-from-a-file\n")
    assert _find_token(path) == ("a-token-from-a-file", False)
    for wrong in ("", "short", "a token with blanks in it", "é" * 20):
        path.write_text(wrong)
        with pytest.raises(InputError, match="token"):
            _find_token(path)


def test_a_port_that_is_taken_is_one_message(served, model_folder):
    port = int(served.url.rpartition(":")[2])
    with pytest.raises(InputError, match=f"127.0.0.1 port {port} cannot be used"):
        Service(model_folder, port=port).run()


def test_the_temporary_folder_is_private(short_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(short_path))
    folder = _private_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(InputError, match="only this user"):
        _private_folder()
    folder.rmdir()
    folder.symlink_to(short_path)
    with pytest.raises(InputError, match="only this user"):
        _private_folder()


def test_a_temporary_folder_that_is_too_long_for_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("a" * 80)))
    with pytest.raises(InputError, match="TMPDIR"):
        _private_folder()
