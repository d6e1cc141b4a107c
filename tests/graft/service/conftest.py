"""A small model, a scan with a lesion, and a service in this process."""

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel
import numpy as np
import pydicom
import pytest
from starlette.testclient import TestClient

from benchmarks.service.served import Served, serving
from graft.familiarity.familiar import Familiar
from graft.networks.build import build_network
from graft.networks.saved import save_model
from graft.prediction.predictor import Predictor, load
from graft.release.fitted import Fitted
from graft.service.app import make_app
from graft.service.model_page import read_model_card
from graft.service.pool import Pool
from graft.service.settings import Limits
from graft.service.worker import Job

SHARED = Path(os.environ.get("GRAFT_SHARED_DATA") or Path(__file__).parents[4] / "shared" / "data")
REAL_SERIES = Path(pydicom.__file__).parent / "data/test_files/dicomdirtests/98892001/CT5N"
LEFT = "left-by-a-killed-service"
TOKEN = "token-of-the-tests-0123456789"
SHAPE = {"name": "resnet", "patch": [8, 8, 8], "channels": 1, "classes": 2, "width": 8}
PREPROCESSING = {
    "patch": [8, 8, 8],
    "spacing": [2.0, 2.0, 2.0],
    "window": [-1000.0, 1000.0],
    "intensity": "window",
    "size": "diameter in mm",
}
CARD = {"architecture": SHAPE, "classes": ["benign", "malignant"], "preprocessing": PREPROCESSING}
AFFINE = np.array([[-1.5, 0, 0, 40], [0, 0, 2.5, -30], [0, 1, 0, 7], [0, 0, 0, 1]], float)
LESION = {"x": "12.5", "y": "-9.0", "z": "20.0"}  # mm, RAS+, inside the scan


@dataclass
class Running:
    """A service: its client, its workers, its temporary folder and its log."""

    client: TestClient
    pool: Pool
    uploads: Path
    log: list[str] = field(default_factory=list)

    def left_over(self) -> list[Path]:
        return list(self.uploads.rglob("*"))


def write_model(folder: Path, **changes: object) -> Path:
    folder.mkdir()
    card = {**CARD, **changes}
    save_model(folder, [build_network(**card["architecture"], seed=3)], card)
    return folder


FITTED = Fitted(
    name="finetuned/transfer",
    source="lung",
    target="liver",
    temperature=1.5,
    points={"sensitivity": 0.25, "specificity": None},
    wanted={"sensitivity": 0.9, "specificity": 0.9},
    miscoverage=0.1,
    quantiles={"benign": 0.6, "malignant": None},
    familiar=Familiar({"spacing_s": (0.5, 3.0)}, [], [], {}, ()),  # mm
    licence="MIT",
    provenance={},
)
MODEL_CARD = "---\nlicense: mit\n---\n# Liver <b>model</b>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """A model with a card, and with what was fitted: scans with thick slices are unfamiliar."""
    folder = write_model(tmp_path_factory.mktemp("models") / "best")
    (folder / "README.md").write_text(MODEL_CARD)
    FITTED.write(folder)
    return folder


@pytest.fixture(scope="session")
def predictor(model_folder) -> Predictor:
    return load(model_folder, "cpu")


@pytest.fixture(scope="session")
def scan(tmp_path_factory) -> Path:
    """A scan (30, 24, 20) whose axes are L, S and A."""
    path = tmp_path_factory.mktemp("scans") / "Loudvoice_Gertrude.nii.gz"
    voxels = np.random.default_rng(0).integers(0, 1000, (30, 24, 20)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), path)
    return path


def zipped(folder: Path) -> bytes:
    """A zip of the files of a folder, in a folder with the name of a patient."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for path in sorted(folder.iterdir()):
            file.write(path, f"Loudvoice^Gertrude/{path.name}")
    return content.getvalue()


@contextmanager
def run_service(model: Path, uploads: Path, limits: Limits) -> Iterator[Running]:
    pool = Pool(Job(model, "cpu", limits, None))
    log: list[str] = []
    app = make_app(pool, read_model_card(model), uploads, TOKEN, {"127.0.0.1", "[::1]"}, log.append)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(app, "http://127.0.0.1:8000", headers=headers) as client:
        yield Running(client, pool, uploads, log)


@pytest.fixture(scope="session")
def service(model_folder, tmp_path_factory) -> Iterator[Running]:
    limits = Limits(upload=4 << 20, inflated=2 << 20, files=50, waiting=4, memory=1 << 30)
    with run_service(model_folder, tmp_path_factory.mktemp("uploads"), limits) as running:
        yield running


@pytest.fixture(scope="session")
def served(model_folder) -> Iterator[Served]:
    """A service in a process of its own; a killed one left a scan in its temporary folder."""
    limits = ("--inflated-mib", "16", "--memory-mib", "1024", "--waiting", "8")
    with TemporaryDirectory() as folder:
        private = Path(folder, "temporary", f"graft-serve-{os.getuid()}")
        private.mkdir(parents=True)
        private.chmod(0o700)
        for name in (".uploads.0123456789ab.partial/tmpabc", "pymp-0123abcd"):
            left = private / name
            left.mkdir(parents=True)
            (left / LEFT).write_bytes(b"a scan")
        with serving(model_folder, Path(folder), *limits) as found:
            yield found
            assert found.end() == 0, "after SIGTERM"
        assert list(private.iterdir()) == []


@pytest.fixture
def start_service(model_folder, tmp_path) -> Iterator[Callable[[Limits], Running]]:
    with ExitStack() as stack:
        yield lambda limits: stack.enter_context(run_service(model_folder, tmp_path, limits))
