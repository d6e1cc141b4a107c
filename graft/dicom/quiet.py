"""Silences libraries that read DICOM, because what they print contains names."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from graft.console import silence


@contextmanager
def quiet_readers(*loggers: str) -> Iterator[None]:
    """Suppress warnings, standard error and all records of these loggers until the block ends."""
    found = [logging.getLogger(name) for name in loggers]
    before = [(logger.handlers, logger.propagate) for logger in found]
    for logger in found:
        logger.handlers = [logging.NullHandler()]  # without any, Python prints the record itself
        logger.propagate = False
    try:
        with warnings.catch_warnings(), silence():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, (handlers, propagate) in zip(found, before, strict=True):
            logger.handlers = handlers
            logger.propagate = propagate
