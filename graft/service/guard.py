"""What every request passes first: host, token, size, time, and a place among the others.

It also writes the log. A line has the time, the number of the request, the method, the path if it
is one of ours, the status and the duration. Queries, headers, file names and errors are not logged,
because they may name a patient.
"""

import secrets
import time
from asyncio import timeout
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graft.service.faults import INTERNAL, Busy, answer_error, describe_fault
from graft.service.measures import Measures
from graft.service.settings import Limits

GUARDED = ("/model", "/metrics", "/predict", "/slices")  # paths that need the token
UNGUARDED = ("/", "/docs", "/health", "/health/live", "/openapi.json")
STATIC = "/page"  # the files of the page
UPLOADS = ("/predict", "/slices")
OTHER = "other"  # in logs and measures, for a path that is not ours
ID_BYTES = 6
DRAINED_S = 5.0  # in which the rest of a refused upload may still arrive
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


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
        except Exception as error:
            self.write(f"{request.id} fault: {describe_fault(error)}")
            await request.fail(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL)
        finally:
            self._record(request)

    async def _handle(self, request: "Request") -> None:
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

    async def _handle_upload(self, request: "Request") -> None:
        self.uploads += 1
        self.measures.in_flight.set(self.uploads)
        try:
            await self.app(request.scope, request.receive, request.send)
        finally:
            self.uploads -= 1
            self.measures.in_flight.set(self.uploads)

    def _check(self, request: "Request") -> None:
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
            raise _too_large(self.limits)

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        is_equal = secrets.compare_digest(token.encode(), self.token.encode())
        return scheme.lower() == "bearer" and is_equal

    def _record(self, request: "Request") -> None:
        seconds = time.monotonic() - request.began
        self.measures.requests.labels(request.path, str(request.status)).inc()
        self.measures.seconds.labels(request.path).observe(seconds)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        method = request.scope["method"]
        shown = method if method in ("GET", "HEAD", "POST") else OTHER
        self.write(
            f"{now} {request.id} {shown} {request.path} {request.status} {seconds * 1000:.0f} ms"
        )


class Request:
    """One request: its body is counted as it arrives, and its answer gets our headers."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self.scope = scope
        self.headers = Headers(scope=scope)
        self.limits = limits
        self.id = secrets.token_hex(ID_BYTES)
        self.began = time.monotonic()
        self.status = 0  # of the answer; 0: there was none
        self.path = _shown_path(scope["path"])
        self._receive, self._send = receive, send
        self._left = limits.upload
        self._is_read = False

    async def receive(self) -> Message:
        """The next part of the body; raises HTTPException if it is too large or too slow."""
        if self._is_read:
            return await self._receive()  # whether the client is gone
        try:
            left = self.began + self.limits.seconds - time.monotonic()
            async with timeout(left):
                message = await self._receive()
        except TimeoutError:
            self._is_read = True  # do not wait for the rest
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the upload took more than {self.limits.seconds:g} s",
            ) from None
        self._count(message)
        if self._left < 0:
            raise _too_large(self.limits)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            await self._drain()
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers["X-Request-ID"] = self.id
        await self._send(message)

    async def fail(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        """Answer with an error, unless an answer has begun."""
        if not self.status:
            answer = answer_error(status, text, headers)
            await answer(self.scope, self.receive, self.send)

    async def _drain(self) -> None:
        """Read what is left of the body, or the client would not read the answer."""
        try:
            async with timeout(DRAINED_S):
                while not self._is_read and self._left > -self.limits.upload:
                    self._count(await self._receive())
        except TimeoutError:
            self._is_read = True

    def _count(self, message: Message) -> None:
        self._left -= len(message.get("body", b""))
        self._is_read = message["type"] != "http.request" or not message.get("more_body", False)


def _too_large(limits: Limits) -> HTTPException:
    return HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the upload has more than {limits.upload} bytes, expected fewer",
    )


def _shown_path(path: str) -> str:
    """The path if it is one of ours."""
    if path.startswith(f"{STATIC}/"):
        return STATIC
    return path if path in (*GUARDED, *UNGUARDED) else OTHER


def _without_port(host: str) -> str:
    """`localhost` of `localhost:8000`, and `[::1]` of `[::1]:8000`."""
    end = host.rfind("]") + 1
    return host[:end] if end else host.partition(":")[0]
