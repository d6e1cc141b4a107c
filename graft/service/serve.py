"""Starts the service, and ends it so that nothing is left."""

import os
import re
import secrets
import shutil
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

import uvicorn

from graft.common.files import InputError, check_regular_file
from graft.common.partial import partial_beside
from graft.console import say
from graft.service.app import make_app
from graft.service.model_page import read_model_card
from graft.service.pool import Pool
from graft.service.settings import Limits
from graft.service.worker import Job

TOKEN_VARIABLE = "GRAFT_SERVE_TOKEN"
TOKEN_BYTES = 32  # of a drawn one
SHORTEST_TOKEN = 16  # characters
TOKEN = re.compile(rf"[A-Za-z0-9._~+/=-]{{{SHORTEST_TOKEN},}}")  # of a header (RFC 6750)
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
UPLOADS = "uploads"
SOCKETS = "pymp-*"  # as multiprocessing names its folders
LONGEST_FOLDER = 70  # bytes; the path of a socket may have 107
END_S = 10  # for requests that are being answered when the service ends
CONNECTIONS = 256


@dataclass(frozen=True)
class Service:
    """How a model is served.

    Attributes:
        model: the folder of the model.
        host: the address to listen on.
        port: 0 for any that is free.
        hosts: names by which clients may call the service, beside those of this machine itself.
        token_file: a file with the token.
        sha256: that the model must have.
        device: for `graft.load`.
        limits: of requests.
    """

    model: Path
    host: str = "127.0.0.1"
    port: int = 8000
    hosts: Sequence[str] = ()
    token_file: Path | None = None
    sha256: str | None = None
    device: str = "auto"
    limits: Limits = field(default_factory=Limits)

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C.

        Raises:
            InputError: if the model cannot be used, or the address or the token is unsuitable.
        """
        _check_address(self.host, self.hosts)
        token, is_new = _find_token(self.token_file)
        model_card = read_model_card(self.model)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)  # uvicorn ends its requests first, then calls this
        listening = _listen(self.host, self.port)
        private = _private_folder()
        tempfile.tempdir = str(private)  # for the socket of the processes
        with listening, partial_beside(private / UPLOADS, Path.mkdir) as uploads:
            _delete_stale_sockets(private, uploads)
            pool = Pool(Job(self.model, self.device, self.limits, self.sha256))
            tempfile.tempdir = str(uploads)  # for the parts of uploads that still arrive
            hosts = {*LOCAL_HOSTS, *(host.lower() for host in self.hosts)}
            app = make_app(pool, model_card, uploads, token, hosts, _write)
            _greet(listening, pool.facts["sha256"], token if is_new else None)
            try:
                config = uvicorn.Config(
                    app,
                    access_log=False,
                    limit_concurrency=CONNECTIONS,
                    log_level="critical",
                    server_header=False,
                    timeout_graceful_shutdown=END_S,
                )
                uvicorn.Server(config).run([listening])
            finally:
                pool.close()


def _end(number: int, frame: object) -> NoReturn:
    sys.exit(0)


def _check_address(host: str, hosts: Sequence[str]) -> None:
    """Raise InputError if other machines can reach the service and no name for it was given."""
    if host == "localhost":
        return
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        raise InputError(f"--host: got {host!r}, expected an IP address or localhost") from None
    if not is_local and not hosts:
        raise InputError(
            f"--host: got {host!r}, which other machines can reach, expected --allow-host with the "
            "name that they call it by"
        )


def _find_token(path: Path | None) -> tuple[str, bool]:
    """The token, and whether it is new: from a file, from the environment, or drawn."""
    if path is not None:
        check_regular_file(path)
        token, where = path.read_text(encoding="utf-8").strip(), str(path)
    elif os.environ.get(TOKEN_VARIABLE):
        token, where = os.environ[TOKEN_VARIABLE].strip(), TOKEN_VARIABLE
    else:
        return secrets.token_urlsafe(TOKEN_BYTES), True
    if not TOKEN.fullmatch(token):
        raise InputError(
            f"{where}: has {len(token)} characters as the token, expected at least "
            f"{SHORTEST_TOKEN} letters, digits or any of -._~+/="
        )
    return token, False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        raise InputError(
            f"--port: {host} port {port} cannot be used ({error.strerror}), expected a free one"
        ) from error


def _private_folder() -> Path:
    """A folder for temporary files that only this user can read.

    What a killed service left there is deleted when the next one starts.
    """
    folder = Path(tempfile.gettempdir(), f"graft-serve-{os.getuid()}")
    if len(bytes(folder)) > LONGEST_FOLDER:
        raise InputError(f"TMPDIR: {folder} is too long for a socket, expected a shorter path")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise InputError(f"{folder}: expected a folder that only this user can read; delete it")
    return folder


def _delete_stale_sockets(private: Path, uploads: Path) -> None:
    """Delete the folders of sockets that killed services left, unless another service runs.

    A running one has a folder of uploads, which it made before that of its socket.
    """
    found = list(private.glob(SOCKETS))
    if list(private.glob(f".{UPLOADS}.*.partial")) == [uploads]:
        for folder in found:
            shutil.rmtree(folder, ignore_errors=True)


def _greet(listening: socket.socket, sha256: str, token: str | None) -> None:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    say(f"model {sha256}")
    fragment = "" if token is None else f"#token={token}"
    say(f"http://{shown}:{port}/{fragment}")


def _write(line: str) -> None:
    with suppress(OSError):  # whoever read the log is gone
        say(line)
