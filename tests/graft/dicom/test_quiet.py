import logging
import warnings

import pytest

from graft.dicom.datasets import LOGGERS, reading_dicom
from graft.dicom.quiet import quiet_readers


def logger_state(name: str) -> tuple[list[logging.Handler], bool]:
    logger = logging.getLogger(name)
    return list(logger.handlers), logger.propagate


def test_readers_print_nothing_within_the_block(capfd, caplog, recwarn):
    with quiet_readers("pydicom"):
        logging.getLogger("pydicom.reader").error("Gertrude")
        warnings.warn("Gertrude", stacklevel=1)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert not recwarn.list


@pytest.mark.parametrize("fails", (False, True))
def test_loggers_and_warnings_are_as_before_after_the_block(fails):
    before = [logger_state(name) for name in LOGGERS]
    filters = list(warnings.filters)
    try:
        with reading_dicom("a.dcm:"):
            if fails:
                raise ValueError("Gertrude")
    except ValueError as error:
        assert str(error).startswith("a.dcm: cannot be read")
        assert "Gertrude" not in str(error)
    assert [logger_state(name) for name in LOGGERS] == before
    assert list(warnings.filters) == filters
