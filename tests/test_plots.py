"""The page that `dvc plots show` writes: no name of a class may run as a script."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from graft.common.names import is_label
from tests.browser import Tab, find_browser, run_browser

ROOT = Path(__file__).parents[1]
SCRIPT = "</script><script>document.title='run'</script>"
ALLOWED = "Tumor (größer) [T2a], 肿瘤; // /* -- ]] #1 ';x=1;' &lt;b&gt;"


def write_page(folder: Path, name: str) -> Path:
    """Plot a confusion matrix with a class of this name."""
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "metrics/plots").mkdir(parents=True)
    shutil.copy(ROOT / "metrics/dvc.yaml", folder / "metrics/dvc.yaml")
    cells = [[name, name, 3], [name, "benign", 1], ["benign", name, 0], ["benign", "benign", 5]]
    table = pd.DataFrame(cells, columns=["actual", "predicted", "cases"])
    table.insert(0, "model", "transfer")
    table.insert(0, "part", "test")
    table.to_csv(folder / "metrics/plots/confusion.csv", index=False)
    dvc = [sys.executable, "-m", "dvc", "plots", "show", "metrics/plots/confusion.csv"]
    done = subprocess.run(dvc, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = folder / "dvc_plots/index.html"
    assert "confusion" in page.read_text(encoding="utf-8")
    return page


def title_of(page: Path, tab: Tab) -> str:
    tab.open_page(page, 1280)
    return tab.evaluate("document.title")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "title", "allowed"), [(SCRIPT, "run", False), (ALLOWED, "DVC Plot", True)]
)
def test_a_name_that_runs_on_the_page_of_dvc_is_not_allowed(tmp_path, name, title, allowed):
    browser = find_browser()
    if browser is None:
        pytest.skip("no Chromium or Chrome is installed")
    page = write_page(tmp_path, name)
    with run_browser(browser, tmp_path) as tab:
        assert title_of(page, tab) == title
    assert is_label(name) == allowed
