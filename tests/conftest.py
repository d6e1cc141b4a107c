"""What all tests share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _configuration(tmp_path_factory) -> Iterator[None]:
    """The settings of this user hidden, so that no test makes a key in the real folder.

    Work runs in the process of the test unless the test asks for workers.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        patch.delenv("GRAFT_PATIENT_KEY", raising=False)
        patch.delenv("GRAFT_SCHEDULER", raising=False)
        patch.setenv("GRAFT_WORKERS", "1")
        yield
