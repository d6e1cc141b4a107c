"""Modules as `python -m` runs them, but in this process: it has imported the libraries already."""

import io
import runpy
import signal
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess

import pytest


def run_module(*words: str) -> CompletedProcess[str]:
    """Run a module with arguments; returns how it ends and what it prints."""
    printed, errors = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(printed),
        redirect_stderr(errors),
        warnings.catch_warnings(action="ignore"),  # of a module that is imported already
    ):
        patch.setattr(sys, "argv", list(words))
        patch.setattr(signal, "signal", lambda number, action: None)  # this process keeps its own
        try:
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
            status = 0
        except SystemExit as ended:
            status = ended.code or 0
    if isinstance(status, str):
        errors.write(f"{status}\n")
        status = 1
    return CompletedProcess(words, status, printed.getvalue(), errors.getvalue())
