"""One request: its body is counted as it arrives, and its answer gets our headers."""

import secrets
import time
from asyncio import timeout
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from graft.service.faults import answer_error
from graft.service.settings import Limits

GUARDED = ("/model", "/metrics", "/predict", "/slices")  # paths that need the token
UNGUARDED = ("/", "/docs", "/health", "/health/live", "/openapi.json")
STATIC = "/page"  # the files of the page
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


class Request:
    """A request.

    Attributes:
        scope: of ASGI.
        headers: that the client sent.
        limits: of the body.
        id: a new number, for the log and the answer.
        began: when it arrived, on the monotonic clock.
        status: of the answer; 0 if there was none.
        path: for logs and measures.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self.scope = scope
        self.headers = Headers(scope=scope)
        self.limits = limits
        self.id = secrets.token_hex(ID_BYTES)
        self.began = time.monotonic()
        self.status = 0
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
            raise too_large(self.limits)
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


def too_large(limits: Limits) -> HTTPException:
    """The answer to an upload that is too large."""
    return HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the upload has more than {limits.upload} bytes, expected fewer",
    )


def _shown_path(path: str) -> str:
    """The path if it is one of ours."""
    if path.startswith(f"{STATIC}/"):
        return STATIC
    return path if path in (*GUARDED, *UNGUARDED) else OTHER
