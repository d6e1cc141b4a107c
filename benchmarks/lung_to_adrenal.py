"""Real data as graft's raw domains: lung nodules (LIDC-IDRI) and adrenal glands (AdrenalMNIST3D).

The folder of the data has lung_lidc/volumes_1mm_32.npz, lung_lidc/nodules.csv and
adrenal/adrenalmnist3d.npz.
"""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from graft.common.files import InputError, whole_file

VARIABLE = "GRAFT_SHARED_DATA"  # the environment variable that names the folder of the data
VOLUMES = Path("lung_lidc/volumes_1mm_32.npz")
NODULES = Path("lung_lidc/nodules.csv")
ADRENAL = Path("adrenal/adrenalmnist3d.npz")
SOURCE = "lung"
TARGET = "adrenal"
CLASSES = {SOURCE: ["benign", "malignant"], TARGET: ["normal", "mass"]}


def require_files(data: Path, *files: Path) -> None:
    """Raise InputError if one of the files is missing in the folder of the data."""
    for file in files:
        if not (data / file).is_file():
            hint = f"name the folder of the data by --data or {VARIABLE}"
            raise InputError(f"{data / file}: is missing; {hint}")


def write_raw_domains(data: Path, raw: Path) -> None:
    """Write both domains as NumPy arrays and a MedMNIST file, as docs/data.md describes them.

    Args:
        data: the folder of the data.
        raw: the folder of raw domains in a clone.

    Raises:
        InputError: if a file is missing or broken.
    """
    require_files(data, VOLUMES, NODULES, ADRENAL)
    for name in (SOURCE, TARGET):
        (raw / name).mkdir(parents=True, exist_ok=True)
    try:
        with np.load(data / VOLUMES, allow_pickle=False) as arrays:
            volumes = arrays["volumes"]  # (N, 32, 32, 32)
            malignant = arrays["malignant"]  # (N,)
            rows = arrays["nodule_index"]  # (N,)
        nodules = pd.read_csv(data / NODULES, index_col="nodule_index").loc[rows]
        # An exam is of one patient, so it stands for a patient that is not named.
        patients = nodules["lidc_patient_id"].fillna("exam " + nodules["exam_id"])
        agrees = np.array_equal(nodules["malignant"], malignant)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        folder = data / VOLUMES.parent
        raise InputError(
            f"{folder}: cannot be read as its README describes it ({error})"
        ) from error
    if not agrees:
        raise InputError(
            f"{data / NODULES}: column malignant differs from {VOLUMES.name}, "
            "expected the same nodules"
        )
    np.save(raw / SOURCE / "data.npy", volumes)
    np.save(raw / SOURCE / "labels.npy", malignant)
    np.save(raw / SOURCE / "groups.npy", patients.to_numpy(str))
    shutil.copyfile(data / ADRENAL, raw / TARGET / ADRENAL.name)


def write_parameters(
    path: Path, labelled: float, weight: float, learning_curve: dict | None = None
) -> None:
    """Point a params.yaml at the two domains; other parameters stay as they are.

    Args:
        path: the file to change.
        labelled: the share of the target's labels to use.
        weight: λ.
        learning_curve: shares and draws of the learning curve; without them there is none.
    """
    yaml = YAML()
    content = yaml.load(path)
    former = content["domains"][content["source"]]
    content["domains"] = {
        SOURCE: _domain_section(former, SOURCE, 1.0),
        TARGET: _domain_section(former, TARGET, labelled),
    }
    content["source"] = SOURCE
    content["target"] = TARGET
    content["lambda"] = weight
    content["pretrain"]["source"] = SOURCE
    content["preprocess"]["patch"] = [32, 32, 32]
    if learning_curve:
        content["learning_curve"] |= learning_curve
    else:
        content["learning_curve"]["draws"] = 0
    with whole_file(path) as partial:
        yaml.dump(content, partial)


def _domain_section(former: Mapping, name: str, labelled: float) -> dict:
    """Return the section of a domain: that of the former source, except for what differs."""
    own = {
        "path": f"data/raw/{name}",
        "classes": CLASSES[name],
        "window": [0, 255],
        "ignore": None,
        "patient_pattern": None,
        "covariates": {},
        "split": {**former["split"], "external": None, "labelled": labelled},
    }
    return {**former, **own}
