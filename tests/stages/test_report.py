"""The stage `report` on the files of a run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graft.common.files import InputError
from graft.common.vocabulary import PUBLISHED_KEYS
from graft.leakage.rows import passed_check
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


def with_keys(*found: str) -> Callable[[dict], None]:
    """A change of metrics.json: the rows of the check `pseudonyms`, for lung and liver."""

    def change(metrics: dict) -> None:
        for domain, words in zip(("lung", "liver"), found, strict=True):
            metrics["checks"].append(passed_check("pseudonyms", domain, "9 patients", words))

    return change


@pytest.mark.parametrize(
    ("keys", "last", "at_the_top"),
    [
        (("private key 1a2b3c4d",) * 2, [], False),
        (
            (PUBLISHED_KEYS["synthetic"],) * 2,
            ["Pseudonyms of lung and liver: published key, synthetic patients."],
            False,
        ),
        (
            (PUBLISHED_KEYS["synthetic"], PUBLISHED_KEYS["published"]),
            [
                "Pseudonyms of lung: published key, synthetic patients.",
                "Pseudonyms of liver: published key: anyone with a list of names can find the "
                "patients.",
            ],
            True,
        ),
    ],
)
def test_the_published_key_is_named_in_the_last_lines(
    tmp_path, monkeypatch, capsys, keys, last, at_the_top
):
    write_run(tmp_path, change=with_keys(*keys))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    report.main()
    assert capsys.readouterr().out.splitlines() == ["metrics/report.html: helps", *last]
    html = Path("metrics/report.html").read_text(encoding="utf-8")
    top, _, end = html.partition("<footer>")
    assert all(f"<p>{line}</p>" in end for line in last)
    assert ("<p><strong>Pseudonyms of liver: published key: " in top) == at_the_top
