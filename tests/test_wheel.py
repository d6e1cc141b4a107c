"""What `pip install graft` installs, and that it predicts without the libraries of the pipeline."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from graft.prediction.predictor import load
from tests.trained import fitted_values, random_scan, write_trained

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PIPELINE = {"dvc", "prefect", "dask", "distributed", "monai", "torchvision", "fastapi", "onnx"}
# Runs commands of `graft`, one after the other, where some modules cannot be imported.
BLOCKED = """
import json, sys
blocked, commands = map(json.loads, sys.argv[1:])

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Finder())
from graft.commands.main import main
for words in commands:
    sys.argv = ["graft", *words]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
"""


def normalised(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def core_distributions() -> set[str]:
    """What is installed with graft without extras: its dependencies, and theirs."""
    found: set[str] = set()
    new = [re.match(r"[\w.-]+", line)[0] for line in PROJECT["project"]["dependencies"]]
    while new:
        name = normalised(new.pop())
        if name in found:
            continue
        found.add(name)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # for another system
            continue
        new += [re.match(r"[\w.-]+", line)[0] for line in lines if "extra ==" not in line]
    return found


def other_modules() -> list[str]:
    """The modules of this environment that an installation without extras does not have."""
    core = core_distributions()
    others = []
    for module, carriers in packages_distributions().items():
        if not {normalised(carrier) for carrier in carriers} & core:
            others.append(module)
    return sorted(set(others) - {"graft", "stages", "flows", "tests"})


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Models of scans and of pictures, a scan, a picture and an array."""
    folder = tmp_path_factory.mktemp("project")
    write_trained(folder / "model", members=2, fitted=fitted_values())
    flat = {"spaced": False, "window": (0, 255), "fitted": fitted_values(ranges={})}
    write_trained(folder / "flat", (16, 16), **flat)
    nibabel.save(nibabel.Nifti1Image(random_scan(), np.eye(4)), folder / "scan.nii.gz")
    pixels = (random_scan((20, 18)) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "p.png")
    np.savez(folder / "set.npz", test_images=pixels[None])
    (folder / "new.csv").write_text("image,x,y,z\nscan.nii.gz,8,8,8\nscan.nii.gz,6.5,8,9\n")
    return folder


def run_blocked(project: Path, packages: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Run `graft`, from the folder of the packages, without the libraries of the extras."""
    words = json.dumps([line.split() for line in lines])
    command = [sys.executable, "-c", BLOCKED, json.dumps(other_modules()), words]
    variables = {"PYTHONPATH": str(packages), "PATH": "", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True)


def check_predictions(project: Path, packages: Path, out: Path) -> None:
    """Predict with everything that is written, and compare with this process."""
    found = run_blocked(
        project,
        packages,
        f"predict new.csv --model model --out {out} --explain --report",
        "predict p.png set.npz --model flat",
    )
    assert (found.returncode, found.stderr.count("error")) == (0, 0), found.stderr
    assert len(found.stdout.splitlines()) == 4
    written = json.loads((out / "predictions.json").read_text())
    predictor = load(project / "model", "cpu")
    expected = []
    for place in ((8, 8, 8), (6.5, 8, 9)):
        prediction = predictor.predict(project / "scan.nii.gz", at=place)
        expected.append(prediction.document()["probabilities"])
    assert [one["probabilities"] for one in written["predictions"]] == expected


def test_the_libraries_of_the_pipeline_are_no_part_of_the_core():
    assert set(other_modules()) >= PIPELINE
    assert not PIPELINE & core_distributions()


def test_it_predicts_without_the_libraries_of_the_pipeline(project, tmp_path):
    check_predictions(project, ROOT, tmp_path / "out")


def test_the_wheel_has_the_package_and_its_data_and_nothing_else():
    settings = PROJECT["tool"]["setuptools"]
    find = f"setuptools.find_packages({str(ROOT)!r}, **{settings['packages']['find']!r})"
    # In a process of its own, because setuptools adds a folder of libraries to the search path.
    code = f"import setuptools; print(*{find})"
    found = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    found = found.stdout.decode().split()
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("graft/**/__init__.py")}
    assert set(found) == {folder.as_posix().replace("/", ".") for folder in folders}
    included = set()
    for pattern in settings["package-data"]["graft"]:
        included |= set((ROOT / "graft").glob(pattern))
    for path in (ROOT / "graft").rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            assert path in included


@pytest.mark.slow
def test_a_wheel_predicts_the_same(project, tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    source = tmp_path / "source"  # a build writes beside its source
    tracked = subprocess.run(
        ["git", "ls-files", "graft", "pyproject.toml", "README.md", "LICENSE"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in tracked:
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    subprocess.run([*command, "--wheel-dir", tmp_path, source], check=True)
    [wheel] = tmp_path.glob("graft-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    names = {path.name for path in (tmp_path / "installed").iterdir()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"graft"}
    check_predictions(project, tmp_path / "installed", tmp_path / "out")
