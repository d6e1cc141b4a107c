"""The stage `report` on the files of a run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graft.common.files import InputError
from stages import report
from tests.runs import write_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_run(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_stage_writes_the_page_and_prints_the_verdict(project, capsys):
    report.main()
    assert capsys.readouterr().out == "metrics/report.html: helps\n"
    html = Path("metrics/report.html").read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert html.rstrip().endswith("</html>")
    assert "domains.liver.split.external" in html
    assert str(project) not in html


def test_a_broken_file_leaves_the_previous_page_in_place(project):
    Path("metrics/report.html").write_text("previous")
    Path("metrics/metrics.json").write_text("{")
    with pytest.raises(InputError, match="metrics/metrics.json: cannot be read as JSON"):
        report.main()
    assert Path("metrics/report.html").read_text() == "previous"


def test_the_stage_does_not_import_torch(project):
    code = "import sys; from stages import report; report.main(); sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
