"""The flow `adapt`: it runs `graft adapt`, publishes its report, and shows no name."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import nibabel
import numpy as np
import pytest

import flows.adapt
from flows import command
from flows.command import Ended
from graft.common.files import InputError
from graft.prediction.identity import model_digest
from tests.commands import run_module
from tests.flows.conftest import ROOT
from tests.trained import fitted_values, random_scan, write_trained

# Stands in for `python -m graft adapt`, which needs PyTorch.
COMMAND = """
import json, sys
from pathlib import Path

words = sys.argv[1:]
option = dict(zip(words, words[1:]))
print((Path(option["--data"]) / "manifest.csv").read_text())  # a name that belongs in no log
report = Path(option["--report"])
report.mkdir(parents=True)
found = {"parent": "a" * 64, "model": None, "recommended": False, "curve": []}
found |= {"sentence": "Do not adapt: nothing is gained.", "site": {"failures": 1}}
(report / "adapt.json").write_text(json.dumps(found))
(report / "adaptation.md").write_text("# Adapted to a site")
"""


@pytest.fixture
def project(tmp_path) -> Path:
    """graft's flows, the part of graft that they import, and a stand-in for the command."""
    folder = tmp_path / "project"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "flows", folder / "flows", ignore=ignored)
    shutil.copytree(ROOT / "graft/common", folder / "graft/common", ignore=ignored)
    (folder / "graft/__init__.py").touch()
    (folder / "graft/__main__.py").write_text(COMMAND)
    (tmp_path / "site").mkdir()
    return folder


def run(project: Path, environment: dict[str, str]) -> tuple[int, str]:
    words = [sys.executable, "-m", "flows.adapt", "../site", "../adapted"]
    done = subprocess.run(
        words, cwd=project, env=environment, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def test_the_report_is_published_and_no_name_is(project, server, api):
    (project.parent / "site/manifest.csv").write_text("patient,image\nJane Roe,scan.nii.gz\n")
    status, told = run(project, server)
    assert status == 0, told
    latest = json.loads((project.parent / "adapted/latest.json").read_text())
    assert latest["adaptation"]["sentence"] == "Do not adapt: nothing is gained."
    [own] = (project.parent / "adapted/runs").iterdir()
    assert json.loads(own.read_text()) == latest
    assert own.name.endswith("-aaaaaaaaaaaa.json")
    shown = httpx.post(f"{api}/artifacts/filter", json={}).text
    assert "Adapted to a site" in shown
    for text in (told, shown):
        assert "Jane" not in text
        assert str(project.parent) not in text.replace(str(Path(sys.executable)), "")
    assert not (project / ".graft/adapt").exists()


@pytest.fixture
def real_graft(tmp_path, monkeypatch) -> Path:
    """A folder with a model and scans, for which the command runs in this process."""
    monkeypatch.chdir(tmp_path)
    write_trained(Path("models/best"), fitted=fitted_values())
    Path("site").mkdir()
    rows = ["image,x,y,z"]
    for number in range(3):
        scan = nibabel.Nifti1Image(random_scan(seed=number), np.eye(4))
        nibabel.save(scan, f"site/{number}.nii.gz")
        rows.append(f"{number}.nii.gz,8,8,8")
    Path("site/manifest.csv").write_text("\n".join(rows))

    def run_here(words: list[str], root: Path) -> Ended:
        done = run_module(*words[words.index("-m") + 1 :])
        return Ended(done.returncode, (done.stdout + done.stderr).splitlines(), False)

    monkeypatch.setattr(command, "run_command", run_here)
    monkeypatch.setattr(flows.adapt, "WORK", tmp_path / "work")
    return tmp_path


def test_the_command_of_graft_accepts_what_the_flow_gives_it(real_graft):
    found = flows.adapt.run_adapt(real_graft, "site", "models/site", "models/best", False)
    assert found["parent"] == model_digest(Path("models/best"))
    assert (found["model"], found["recommended"]) == (None, False)
    shutil.rmtree("work")
    found = flows.adapt.run_adapt(real_graft, "site", "models/site", "models/best", True)
    assert found["model"] == model_digest(Path("models/site"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "nowhere"}, "source: is missing, expected a folder with manifest.csv"),
        ({"destination": "."}, "destination: got '.', expected a folder other than the repository"),
        ({"model": "models/none"}, "graft adapt ended with 1 and no report"),
    ],
)
def test_what_cannot_be_used_is_one_line(real_graft, monkeypatch, changes, message):
    monkeypatch.setattr(flows.adapt, "ROOT", real_graft)
    usual = {"source": "site", "destination": "adapted", "to": "models/site"}
    usual |= {"model": "models/best", "anyway": False}
    with pytest.raises(InputError, match=message):
        flows.adapt._adapt(**{**usual, **changes})
    assert not Path("adapted").exists()
