"""The stage `report` on the files of a run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.common.vocabulary import PUBLISHED_KEYS
from graft.leakage.rows import passed_check
from stages import report
from tests.runs import write_run

ROOT = Path(__file__).parents[2]


def write_lock(root: Path, **changes: object) -> None:
    """Write dvc.lock as after a run with params.yaml; `changes` are what `evaluate` used instead.

    It also has a domain that params.yaml no longer has, and the report before.
    """
    used = YAML(typ="safe").load(ROOT / "params.yaml")
    recorded = {"seed": used["seed"], **changes}
    former = {"params.yaml": {"seed": 7, "preprocess": "former"}}
    stages = {
        "parameters": {"params": {"params.yaml": used}, "outs": ["data/parameters_checked.txt"]},
        "preprocess@former": {"params": former, "outs": ["data/processed/former"]},
        "preprocess@liver": {
            "deps": ["data/parameters_checked.txt"],
            "params": {"params.yaml": {"domains.liver.path": "data/phantom/liver"}},
            "outs": ["data/processed/liver"],
        },
        "evaluate": {
            "deps": ["data/processed"],
            "params": {"params.yaml": recorded},
            "outs": [*map(str, report.SHOWN[2:])],
        },
        "attack": {"deps": ["data/processed"], "outs": ["metrics/attacks.json"]},
        "explain": {"deps": ["metrics/metrics.json"], "outs": ["metrics/explain"]},
        "report": {"params": former, "outs": ["metrics/report.html"]},
    }
    for entry in stages.values():
        for kind in ("deps", "outs"):
            entry[kind] = [{"path": path} for path in entry.get(kind, [])]
    YAML(typ="safe").dump({"schema": "2.0", "stages": stages}, root / "dvc.lock")


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_run(tmp_path, external=False)  # half as many charts to draw
    for name in ("params.yaml", "dvc.yaml", "data/phantom/dvc.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    write_lock(tmp_path)
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


def test_the_page_shows_the_parameters_that_were_used_and_not_those_of_the_next_run(project):
    used = Path("params.yaml").read_text()
    Path("params.yaml").write_text(used.replace("lambda: 0.01 ", "lambda: 0.123 "))
    message = "params.yaml: lambda: this run used 0.01, but the file has 0.123 now; run `dvc repro`"
    with pytest.raises(InputError, match=message):
        report.main()
    shown = Path("metrics/report.html").read_bytes()
    Path("params.yaml").write_text(used)
    report.main()
    assert Path("metrics/report.html").read_bytes() == shown
    assert b"0.123" not in shown


def test_the_page_is_the_same_in_whatever_order_stages_ran(project):
    report.main()
    shown = Path("metrics/report.html").read_bytes()
    yaml = YAML(typ="safe")
    yaml.sort_base_mapping_type_on_output = False
    lock = yaml.load(Path("dvc.lock"))
    lock["stages"] = dict(reversed(lock["stages"].items()))
    used = lock["stages"]["parameters"]["params"]["params.yaml"]
    used["domains"] = dict(reversed(used["domains"].items()))
    yaml.dump(lock, Path("dvc.lock"))
    report.main()
    assert Path("metrics/report.html").read_bytes() == shown


def test_stages_that_used_different_values_are_an_error(project):
    write_lock(project, seed=43)
    message = "params.yaml: seed: evaluate used 43 and parameters used 42, .*; run `dvc repro`"
    with pytest.raises(InputError, match=message):
        report.main()
    assert not Path("metrics/report.html").exists()


def test_without_a_lock_file_the_message_says_what_to_run(project):
    Path("dvc.lock").unlink()
    with pytest.raises(InputError, match="no lock file has the stage that wrote it; run `dvc rep"):
        report.main()


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
def test_the_published_key_is_named_in_the_last_lines(project, capsys, keys, last, at_the_top):
    for folder in ("metrics", "models"):
        shutil.rmtree(project / folder)
    write_run(project, external=False, change=with_keys(*keys))
    report.main()
    assert capsys.readouterr().out.splitlines() == ["metrics/report.html: helps", *last]
    html = Path("metrics/report.html").read_text(encoding="utf-8")
    top, _, end = html.partition("<footer>")
    assert all(f"<p>{line}</p>" in end for line in last)
    assert ("<p><strong>Pseudonyms of liver: published key: " in top) == at_the_top
