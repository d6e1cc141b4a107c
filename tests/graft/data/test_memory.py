from pathlib import Path

import psutil
import pytest
import torch

from graft.data import memory
from graft.data.memory import free_memory

CPU = torch.device("cpu")


@pytest.fixture
def limits(tmp_path, monkeypatch) -> Path:
    """A file in the place of the limit of a container."""
    path = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CONTAINER_LIMITS", (path, tmp_path / "missing"))
    return path


def test_a_container_has_what_its_limit_allows(limits):
    limits.write_text("1048576\n")
    assert free_memory(CPU) == 2**20


@pytest.mark.parametrize("content", ["max\n", "", str(2**62)])
def test_without_a_limit_it_is_the_memory_of_the_machine(limits, content):
    limits.write_text(content)
    assert 0 < free_memory(CPU) <= psutil.virtual_memory().total


@pytest.mark.gpu
def test_a_gpu_has_what_no_process_uses():
    free, total = torch.cuda.mem_get_info()
    assert 0 < free_memory(torch.device("cuda")) <= total
