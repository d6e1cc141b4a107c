from pathlib import Path

import psutil
import pytest
import torch

from graft.data import memory
from graft.data.memory import free_memory

CPU = torch.device("cpu")


@pytest.fixture
def limits(tmp_path, monkeypatch) -> Path:
    """A file in the place of the limit of a container, which uses 1,000 bytes."""
    path = tmp_path / "memory.max"
    used = tmp_path / "memory.current"
    used.write_text("1000\n")
    missing = (tmp_path / "missing", used)
    monkeypatch.setattr(memory, "CONTAINERS", ((path, used), missing))
    return path


@pytest.mark.parametrize(("limit", "left"), [(1_048_576, 1_047_576), (900, 0)])
def test_a_container_has_what_is_left_of_its_limit(limits, limit, left):
    limits.write_text(f"{limit}\n")
    assert free_memory(CPU) == left


@pytest.mark.parametrize("content", ["max\n", "", str(2**62)])
def test_without_a_limit_it_is_the_memory_of_the_machine(limits, content):
    limits.write_text(content)
    assert 0 < free_memory(CPU) <= psutil.virtual_memory().total


@pytest.mark.gpu
def test_a_gpu_has_what_no_process_uses():
    free, total = torch.cuda.mem_get_info()
    assert 0 < free_memory(torch.device("cuda")) <= total
