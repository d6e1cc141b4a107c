from pathlib import Path

import pytest

from graft.common import code
from graft.common.code import code_digest


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package `training` with one module, beside a package `report`."""
    for name in ("training", "report"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "loop.py").write_text("STEPS = 1\n")
    monkeypatch.setattr(code, "GRAFT", tmp_path)
    return tmp_path / "training"


def test_the_order_of_the_packages_does_not_matter(package):
    assert code_digest(["report", "training"]) == code_digest(["training", "report"])


def test_a_changed_a_new_and_a_renamed_module_change_the_digest(package):
    found = [code_digest(["training"])]
    (package / "loop.py").write_text("STEPS = 2\n")
    found.append(code_digest(["training"]))
    (package / "inner").mkdir()
    (package / "inner/more.py").write_text("")
    found.append(code_digest(["training"]))
    (package / "loop.py").rename(package / "steps.py")
    found.append(code_digest(["training"]))
    assert len(set(found)) == 4


def test_other_packages_and_other_files_do_not_change_the_digest(package):
    before = code_digest(["training"])
    (package.parent / "report/loop.py").write_text("STEPS = 2\n")
    (package / "notes.txt").write_text("not code")
    assert code_digest(["training"]) == before
