"""What all tests share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _configuration(tmp_path_factory) -> Iterator[None]:
    """A folder for the configuration of this user, so that no test makes a key in the real one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        patch.delenv("GRAFT_PATIENT_KEY", raising=False)
        yield
