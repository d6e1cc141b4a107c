"""What a module rests on, against what Python loads for it."""

import subprocess
import sys
from pathlib import Path

from graft import imports

GRAFT = Path(imports.__file__).parent


def test_it_finds_all_that_python_loads():
    code = "import sys, graft.split; print(*(name for name in sys.modules if name.startswith('graft.')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=GRAFT.parent, capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("graft.") for name in done.stdout.split()}
    assert {"split", "files", "sections"} <= loaded <= {path.stem for path in imports.reached(GRAFT / "split.py")}


def test_a_training_rests_on_the_network_and_not_on_who_judges_it():
    found = {path.stem for path in imports.reached(GRAFT / "trials.py")}
    assert {"trials", "train", "networks", "layers", "augment", "penalty", "frozen"} <= found
    assert not {"metrics", "bootstrap", "scores", "learning_curve", "curves"} & found
