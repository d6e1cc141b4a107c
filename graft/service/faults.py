"""Why a request gets no answer: a status of HTTP and one sentence for the person who sent it."""

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from graft.common.files import InputError

UNUSABLE = HTTPStatus.UNPROCESSABLE_ENTITY  # the request arrived, and nothing can be done with it

FULL_DISK = "the upload cannot be stored just now"
INTERNAL = "internal error: the log has it under the number in X-Request-ID"


class RefusedError(InputError):
    """An upload that is not used, with the status of HTTP that says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = int(status)


class FaultError(Exception):
    """An unexpected error in a worker, of which it told where it was raised."""


class Busy(HTTPException):
    """The service has no room for one more request just now."""

    def __init__(self, text: str, seconds: int = 1) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, text, {"Retry-After": str(seconds)})


def answer_error(status: int, text: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The only form of an error that leaves the service."""
    return JSONResponse({"error": text}, int(status), headers)


def describe_fault(error: BaseException) -> str:
    """Where an unexpected error was raised, without its message, which may have names."""
    if isinstance(error, FaultError):
        return str(error)
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__} at {' > '.join(frames)}"
