"""What tests of the flows look at: processes that live, and documents that were published."""

import json
from contextlib import suppress
from pathlib import Path

import fsspec
import psutil


def processes_in(project: Path) -> list[psutil.Process]:
    """Processes that live in the project's folder: flow, temporary server, DVC and stages."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(project) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def published_files(destination: str) -> dict[str, dict]:
    """The JSON documents of a folder or bucket, by their names in it."""
    files, folder = fsspec.url_to_fs(destination)
    files.invalidate_cache()
    found = {}
    for path in files.find(folder):
        found[path.removeprefix(f"{folder}/")] = json.loads(files.cat_file(path))
    return found
