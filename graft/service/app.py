"""The application: which path does what."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from graft.common.partial import FULL
from graft.service.faults import (
    FULL_DISK,
    INTERNAL,
    UNUSABLE,
    Busy,
    FaultError,
    RefusedError,
    answer_error,
)
from graft.service.forms import MULTIPART, PredictForm, SlicesForm
from graft.service.guard import Guard
from graft.service.measures import Measures
from graft.service.pool import Pool
from graft.service.settings import LESION_FIELDS, MASK, RESULT, SCAN

PAGE = Path(__file__).parent / "page"
GZIP = "application/gzip"
FULL_DISK_S = 60  # until a client should try again
ABOUT = "Research only: not a medical device. Nothing that is uploaded is kept."
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": 'The request cannot be used: `{"error": "..."}`.'},
    "503": {"description": "Too many requests: try again after `Retry-After` seconds."},
}


def make_app(
    pool: Pool,
    model_card: Mapping[str, str] | None,
    uploads: Path,
    token: str,
    hosts: Collection[str],
    write: Callable[[str], object],
) -> Guard:
    """Build the application.

    Args:
        pool: does the work.
        model_card: as `markdown` and `html`, if there is one.
        uploads: an empty folder. Each request has a folder in it while it is answered.
        token: that clients send.
        hosts: names by which the service may be called.
        write: writes a line of the log.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        pool.close()

    app = FastAPI(
        title="graft", description=ABOUT, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    measures = Measures(pool.facts["sha256"])
    pool.on_loss = measures.lost.inc
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_wrong_field)
    app.add_exception_handler(RefusedError, _answer_refused)
    app.add_exception_handler(OSError, _answer_full_disk)
    app.add_exception_handler(Exception, _answer_fault)
    _add_uploads(app, pool, measures, uploads)
    _add_facts(app, pool, measures, model_card)
    app.mount("/page", StaticFiles(directory=PAGE))
    return Guard(app, token, hosts, pool.job.limits, measures, write)


def _add_uploads(app: FastAPI, pool: Pool, measures: Measures, uploads: Path) -> None:
    async def work(request: Request, files: Mapping[str, UploadFile | None], task: dict) -> bytes:
        """Do a task in a folder of its own, and return its result."""
        with _request_folder(uploads) as folder:
            for name, file in files.items():
                task[f"{name}_name"] = None if file is None else file.filename or ""
                if file is not None:
                    await asyncio.to_thread(_copy, file, folder / name)
            done = await pool.run({**task, "folder": str(folder)}, _wants(request))
            if done["status"] != HTTPStatus.OK:
                if "fault" in done:
                    raise FaultError(done["fault"])
                if done["status"] == HTTPStatus.SERVICE_UNAVAILABLE:
                    raise Busy(done["error"], FULL_DISK_S)
                raise RefusedError(done["status"], done["error"])
            if "answer" in done:
                measures.count_prediction(done["answer"], done["refused"])
            return await asyncio.to_thread((folder / RESULT).read_bytes)

    @app.post("/predict", responses=ERRORS)
    async def predict(request: Request, form: Annotated[PredictForm, MULTIPART]) -> Response:
        """Predict for one lesion of a scan, as `graft predict` does."""
        task = {
            "do": "predict",
            "at": form.position,
            **form.model_dump(include={*LESION_FIELDS, "point", "explain"}),
        }
        document = await work(request, {SCAN: form.scan, MASK: form.mask}, task)
        return Response(document, media_type="application/json")

    @app.post("/slices", responses=ERRORS)
    async def slices(request: Request, form: Annotated[SlicesForm, MULTIPART]) -> Response:
        """Return a scan as a small NIfTI file of 8 bits with axes near R, A and S."""
        task = {"do": "slices", **form.model_dump(include={"series", "window"})}
        return Response(await work(request, {SCAN: form.scan}, task), media_type=GZIP)


def _add_facts(
    app: FastAPI, pool: Pool, measures: Measures, model_card: Mapping[str, str] | None
) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(PAGE / "docs.html")

    @app.get("/model")
    async def model() -> dict:
        """Return what the model is: card, what was fitted with it, model card and SHA-256."""
        return {**pool.facts, "model_card": model_card}

    @app.get("/health")
    async def health() -> JSONResponse:
        """Tell whether the service can predict: 200, or 503 while no process is ready."""
        status = HTTPStatus.OK if pool.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"live": True, "ready": pool.is_ready}, status)

    @app.get("/health/live")
    async def live() -> dict:
        """Tell whether the service runs."""
        return {"live": True}

    @app.get("/metrics")
    async def metrics() -> Response:
        """Return counts for Prometheus, without data of patients."""
        return Response(measures.render(), media_type=CONTENT_TYPE_LATEST)


@contextmanager
def _request_folder(uploads: Path) -> Iterator[Path]:
    from tempfile import mkdtemp

    folder = Path(mkdtemp(dir=uploads))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(file: UploadFile, path: Path) -> None:
    with path.open("xb") as target:
        shutil.copyfileobj(file.file, target, 1 << 20)


def _wants(request: Request) -> Callable[[], Any]:
    async def is_wanted() -> bool:
        return not await request.is_disconnected()

    return is_wanted


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError):  # while the upload was written
        return await _answer_full_disk(request, error)
    return answer_error(error.status_code, error.detail, error.headers)


async def _answer_wrong_field(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = []
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"][1:]) or "request"
        faults.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}")
    return answer_error(UNUSABLE, "; ".join(faults[:5]))


async def _answer_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return answer_error(error.status, str(error))


async def _answer_full_disk(request: Request, error: Exception) -> Response:
    cause = error.__cause__ or error
    if not isinstance(cause, OSError) or cause.errno not in FULL:
        raise error
    busy = Busy(FULL_DISK, FULL_DISK_S)
    return answer_error(busy.status_code, busy.detail, busy.headers)


async def _answer_fault(request: Request, error: Exception) -> Response:
    return answer_error(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL)
