"""`graft serve`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.commands.predict import Device
from graft.service.settings import MEBIBYTE, Limits


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
    device: Annotated[Device, typer.Option(help="Where the networks run.")] = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Processes that predict.")] = Limits.workers,
    waiting: Annotated[
        int, typer.Option(min=0, help="Requests that may wait for one.")
    ] = Limits.waiting,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="For an upload, and again for the work on it.")
    ] = Limits.seconds,
    upload_mib: Annotated[int, typer.Option(min=1, help="MiB of an upload.")] = (
        Limits.upload // MEBIBYTE
    ),
    inflated_mib: Annotated[int, typer.Option(min=1, help="MiB of what a zip contains.")] = (
        Limits.inflated // MEBIBYTE
    ),
    memory_mib: Annotated[int, typer.Option(min=64, help="MiB that a process may use.")] = (
        Limits.memory // MEBIBYTE
    ),
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

    limits = Limits(
        upload=upload_mib * MEBIBYTE,
        inflated=inflated_mib * MEBIBYTE,
        memory=memory_mib * MEBIBYTE,
        seconds=seconds,
        workers=workers,
        waiting=waiting,
    )
    Service(model, host, port, allow_host or (), token_file, sha256, device, limits).run()
