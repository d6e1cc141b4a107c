"""What every request passes first: host, token, size, time, and a place among the others.

It also writes the log. A line has the time, the number of the request, the method, the path if it
is one of ours, the status and the duration. Queries, headers, file names and errors are not logged,
because they may name a patient.
"""

import secrets
import time
from asyncio import CancelledError
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from graft.service.faults import INTERNAL, Busy, describe_fault
from graft.service.measures import Measures
from graft.service.request import OTHER, STATIC, UNGUARDED, Request, too_large
from graft.service.settings import Limits

UPLOADS = ("/predict", "/slices")


@dataclass
class Guard:
    """Middleware around the application.

    Attributes:
        app: the application.
        token: that a client must send.
        hosts: names by which the service may be called, in lower case. Others are refused: a page
            of a stranger could make its own name point to this machine (DNS rebinding).
        limits: of requests.
        measures: counts requests.
        write: writes a line of the log.
    """

    app: ASGIApp
    token: str
    hosts: Collection[str]
    limits: Limits
    measures: Measures
    write: Callable[[str], object]
    uploads: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive, send, self.limits)
        try:
            await self._handle(request)
        except CancelledError:
            busy = Busy("the service ends")
            await request.fail(busy.status_code, busy.detail, busy.headers)
            raise
        except Exception as error:
            self.write(f"{request.id} fault: {describe_fault(error)}")
            await request.fail(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL)
        finally:
            self._record(request)

    async def _handle(self, request: Request) -> None:
        try:
            self._check(request)
            if request.path not in UPLOADS:
                await self.app(request.scope, request.receive, request.send)
                return
            if self.uploads >= self.limits.workers + self.limits.waiting:
                raise Busy("too many requests at once, try again later")
            await self._handle_upload(request)
        except HTTPException as error:
            await request.fail(error.status_code, error.detail, error.headers)

    async def _handle_upload(self, request: Request) -> None:
        self.uploads += 1
        self.measures.in_flight.set(self.uploads)
        try:
            await self.app(request.scope, request.receive, request.send)
        finally:
            self.uploads -= 1
            self.measures.in_flight.set(self.uploads)

    def _check(self, request: Request) -> None:
        host = request.headers.get("host", "")
        if _without_port(host).lower() not in self.hosts:
            raise HTTPException(HTTPStatus.MISDIRECTED_REQUEST, "the host is not one of ours")
        is_open = request.path in (*UNGUARDED, STATIC)
        if not is_open and not self._has_token(request.headers):
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED,
                "the token is missing or wrong, expected `Authorization: Bearer <token>`",
                {"WWW-Authenticate": "Bearer"},
            )
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self.limits.upload:
            raise too_large(self.limits)

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        is_equal = secrets.compare_digest(token.encode(), self.token.encode())
        return scheme.lower() == "bearer" and is_equal

    def _record(self, request: Request) -> None:
        seconds = time.monotonic() - request.began
        self.measures.requests.labels(request.path, str(request.status)).inc()
        self.measures.seconds.labels(request.path).observe(seconds)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        method = request.scope["method"]
        shown = method if method in ("GET", "HEAD", "POST") else OTHER
        self.write(
            f"{now} {request.id} {shown} {request.path} {request.status} {seconds * 1000:.0f} ms"
        )


def _without_port(host: str) -> str:
    """`localhost` of `localhost:8000`, and `[::1]` of `[::1]:8000`."""
    end = host.rfind("]") + 1
    return host[:end] if end else host.partition(":")[0]
