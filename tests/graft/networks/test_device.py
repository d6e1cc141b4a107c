import os

import pytest
import torch

from graft.common.files import InputError
from graft.networks.device import pick_device, use_deterministic_algorithms


@pytest.fixture
def restored_settings(monkeypatch):
    """Settings of the process, which are as before after the test."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    mode = torch.get_deterministic_debug_mode()
    benchmark = torch.backends.cudnn.benchmark
    torch.set_deterministic_debug_mode("default")
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.backends.cudnn.benchmark = benchmark


def test_picking_a_device_changes_no_setting(restored_settings):
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert torch.get_deterministic_debug_mode() == 0
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_cuda_without_a_gpu_names_the_parameter():
    with pytest.raises(InputError, match=r"training\.device: got 'cuda'"):
        pick_device("cuda")


def test_only_deterministic_algorithms_are_allowed(restored_settings):
    torch.backends.cudnn.benchmark = True
    use_deterministic_algorithms()
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_deterministic_debug_mode() == 2
    assert not torch.backends.cudnn.benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
