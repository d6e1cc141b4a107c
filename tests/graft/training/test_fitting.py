import subprocess

import pytest

from graft.common.files import InputError
from graft.training.fitting import log_curves


def test_a_repository_without_a_commit_is_one_clear_line(tmp_path, monkeypatch):
    for command in ("git init -q", "dvc init -q"):
        subprocess.run(command.split(), cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    curves = log_curves(tmp_path / "curves")
    with pytest.raises(InputError, match=r"^Git: Empty git repo, expected .* a commit.*$"):
        curves.__enter__()
