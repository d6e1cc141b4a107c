"""What a module rests on, against what Python loads for it."""

import subprocess
import sys
from pathlib import Path

from graft import imports

ROOT = Path(__file__).parents[2]


def test_it_finds_all_that_python_loads():
    code = "import sys, graft.trials; print(*(n for n, m in sys.modules.items() if n.startswith('graft.')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("graft.") for name in done.stdout.split()}
    found = {path.stem for path in imports.reached(ROOT / "graft/trials.py")}
    assert loaded <= found
    assert not {"metrics", "bootstrap", "scores", "learning_curve", "curves"} & found  # they judge, and train nothing
