"""The stage on the files of a run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graft.common.files import InputError
from stages import report
from tests.runs import write_run  # noqa: F401, a fixture

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(write_run, tmp_path, monkeypatch):  # noqa: F811
    write_run()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_leaves_one_file_and_says_the_verdict(project, capsys):
    report.main()
    assert capsys.readouterr().out == "metrics/report.html: helps\n"
    html = Path("metrics/report.html").read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>") and html.rstrip().endswith("</html>")
    assert str(project) not in html and "domains.liver.split.external" in html


def test_a_broken_file_leaves_the_former_page(project):
    Path("metrics/report.html").write_text("former")
    Path("metrics/metrics.json").write_text("{")
    with pytest.raises(InputError, match="metrics/metrics.json: cannot be read as JSON"):
        report.main()
    assert Path("metrics/report.html").read_text() == "former"


def test_needs_no_torch(project):
    code = "import sys; from stages import report; report.main(); sys.exit('torch' in sys.modules)"
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
