"""`graft serve`."""

from pathlib import Path
from typing import Annotated

import typer

MEBIBYTE = 1 << 20


def main(
    model: Annotated[Path, typer.Argument(help="The folder of the model.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name that clients call this service by; may be repeated."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="A file with the token (default: GRAFT_SERVE_TOKEN, or a new one)."),
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="Refuse a model with another SHA-256.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Processes that predict.")] = 1,
    waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait for one.")] = 16,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="For an upload, and again for the work on it.")
    ] = 60,
    upload_mib: Annotated[int, typer.Option(min=1, help="MiB of an upload.")] = 1024,
    inflated_mib: Annotated[int, typer.Option(min=1, help="MiB of what a zip contains.")] = 4096,
    memory_mib: Annotated[int, typer.Option(min=64, help="MiB that a process may use.")] = 8192,
) -> None:
    """Serve a model over HTTP, with a page to use it. Research only: not a medical device."""
    from graft.common.files import InputError

    try:
        from graft.service.serve import Service
    except ModuleNotFoundError as error:
        raise InputError(
            f"graft serve: needs {error.name}, which is not installed, "
            "expected the extra `serve`, as in pip install '.[serve]'"
        ) from error
    from graft.service.settings import Limits

    limits = Limits(
        upload=upload_mib * MEBIBYTE,
        inflated=inflated_mib * MEBIBYTE,
        memory=memory_mib * MEBIBYTE,
        seconds=seconds,
        workers=workers,
        waiting=waiting,
    )
    Service(model, host, port, allow_host or (), token_file, sha256, device, limits).run()
