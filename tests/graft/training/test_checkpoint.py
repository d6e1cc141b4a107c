import shutil
from pathlib import Path

import grimp
import pytest
import torch
from safetensors.torch import save as as_bytes

from graft.common import code
from graft.common.checked_file import write_checked
from graft.repeated import cache
from graft.training import checkpoint
from graft.training.checkpoint import Checkpoint, clear_checkpoints, key_digest

TENSORS = {"network.weight": torch.arange(3.0)}


@pytest.fixture
def copied_code(tmp_path, monkeypatch) -> Path:
    """A copy of graft that a test may change."""
    folder = tmp_path / "graft"
    shutil.copytree(code.GRAFT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "GRAFT", folder)
    return folder


def append_line(path: Path) -> None:
    path.write_text(path.read_text() + "\nCHANGED = True\n")


def imported_packages(module: str) -> set[str]:
    """The packages of graft that a module imports, directly or not, with its own."""
    graph = grimp.build_graph("graft", cache_dir=None)
    packages = set()
    for name in graph.find_upstream_modules(module) | {module}:
        parts = name.split(".")
        if len(parts) > 2 or graph.find_children(name):
            packages.add(parts[1])
    return packages


def test_a_saved_state_is_loaded_again(tmp_path):
    Checkpoint(tmp_path, "key").save(TENSORS, {"history": [1]})
    tensors, progress = Checkpoint(tmp_path, "key").load()
    assert torch.equal(tensors["network.weight"], TENSORS["network.weight"])
    assert progress == {"history": [1]}


def test_a_state_with_another_key_is_not_loaded(tmp_path):
    Checkpoint(tmp_path, {"seed": 1}).save(TENSORS, {})
    assert Checkpoint(tmp_path, {"seed": 2}).load() is None


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def test_flipped_bits_anywhere_in_a_checkpoint_are_noticed(tmp_path, capsys):
    saved = Checkpoint(tmp_path, "key")
    saved.save(TENSORS, {"history": [1]})
    whole = saved.path.read_bytes()
    for place in range(len(whole) * 8):  # of the digest, the progress, the header and the data
        saved.path.write_bytes(whole)
        flip(saved.path, place)
        assert saved.load() is None
        assert capsys.readouterr().out.count("restarts") == 1


def test_a_file_that_was_cut_short_is_not_loaded(tmp_path):
    saved = Checkpoint(tmp_path, "key")
    saved.save(TENSORS, {})
    saved.path.write_bytes(saved.path.read_bytes()[:-1])
    assert saved.load() is None


def test_an_older_format_is_discarded_with_one_line(tmp_path, capsys):
    saved = Checkpoint(tmp_path, "key")
    for payload in (as_bytes(TENSORS), b"", b"{}\n", b"[]"):
        write_checked(saved.path, payload)
        assert saved.load() is None
        assert capsys.readouterr().out.count("restarts") == 1


def test_cleared_checkpoints_are_gone_and_clearing_twice_is_no_error(tmp_path):
    saved = Checkpoint(tmp_path / "stage", "key")
    saved.save(TENSORS, {})
    clear_checkpoints(tmp_path / "stage")
    clear_checkpoints(tmp_path / "stage")
    assert saved.load() is None


def test_a_changed_line_in_training_changes_both_keys(copied_code):
    before = [key_digest("key", packages) for packages in (checkpoint.CODE, cache.CODE)]
    append_line(copied_code / "training/augment.py")
    after = [key_digest("key", packages) for packages in (checkpoint.CODE, cache.CODE)]
    assert not set(before) & set(after)


@pytest.mark.parametrize("package", ["report", "evaluation", "explain", "ingest", "statistics"])
def test_a_changed_line_elsewhere_changes_no_key(copied_code, package):
    before = [key_digest("key", packages) for packages in (checkpoint.CODE, cache.CODE)]
    append_line(next((copied_code / package).glob("*.py")))
    after = [key_digest("key", packages) for packages in (checkpoint.CODE, cache.CODE)]
    assert before == after


@pytest.mark.parametrize("library", ["torch", "numpy", "monai", "torchvision"])
def test_another_version_of_a_library_changes_the_key(monkeypatch, library):
    before = key_digest("key", checkpoint.CODE)
    installed = code.version
    monkeypatch.setattr(code, "version", lambda name: "0.0" if name == library else installed(name))
    assert key_digest("key", checkpoint.CODE) != before


def test_the_code_in_the_keys_is_the_code_that_training_imports():
    """A package that is missing from CODE would let a run resume from a stale state."""
    assert set(checkpoint.CODE) == imported_packages("graft.training.loop")
    assert set(cache.CODE) == imported_packages("graft.repeated.trainings")
