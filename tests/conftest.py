"""What all tests share."""

from collections.abc import Iterator

import pytest

# A process of pytest-xdist takes one file after the other, so the longest come first.
LONGEST = (
    "tests/test_pipeline.py",
    "tests/flows/test_pipeline.py",
    "tests/flows/test_deployments.py",
    "tests/flows/test_sweep.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0]
        return LONGEST.index(file) if file in LONGEST else len(LONGEST)

    items.sort(key=rank)


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
