"""Raw data in any of its forms, read as a domain.

A form is a module with `read(path, name, classes, grid) -> Domain`, whose patients are still those of the data
and whose labels and splits are known words; that of folders of pictures takes a pattern for patients too. What
marks a folder as being of a form stands in `_form`.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from graft.common.files import InputError
from graft.console import say
from graft.data.domain import Domain, Grid
from graft.duplicates import fingerprints
from graft.ingest import arrays, clinical, folder, groups, manifest, medmnist

KEY_VARIABLE = "GRAFT_PATIENT_KEY"
PUBLISHED_KEY = "graft: a published key, which hides nobody"


@dataclass(frozen=True)
class Privacy:
    """Where the key of the pseudonyms is, and whether images that a name may be written into are read."""

    key_variable: str = KEY_VARIABLE
    key_file: str | None = None
    burned_in: bool = False


def read_raw_domain(
    path: Path,
    name: str,
    classes: list[str],
    grid: Grid,
    *,
    patient_pattern: str | None = None,
    covariates: Mapping[str, str] | None = None,
    privacy: Privacy = Privacy(),
) -> Domain:
    """Read the raw data at `path` as the domain `name`: one image of `grid` a lesion, patients as pseudonyms.

    `patient_pattern` finds patients in the names of pictures, and no other form may have one. `covariates` are the
    columns of a manifest to keep beside the images, each with its kind; they are kept by name. Its columns scanner,
    sex and age are kept too where there are any, made coarse, as groups to judge models by.

    Raises InputError where the data is not as docs/data.md says, a class has no patients, a patient is in two of
    the given splits, or the file of the key cannot be used.
    """
    key = _key(privacy)
    form, kinds = _form(path), dict(sorted((covariates or {}).items()))
    if patient_pattern is not None and form is not folder:
        raise InputError(
            f"params.yaml: domains.{name}.patient_pattern: got {patient_pattern!r}, expected null, as {path} holds no "
            "folders of pictures by class"
        )
    if kinds and form is not manifest:
        raise InputError(
            f"params.yaml: domains.{name}.covariates: got {', '.join(kinds)}, expected {{}}, as {path} is no folder "
            f"with a {manifest.FILE} and only that has columns"
        )
    table = clinical.read(path, kinds) if kinds else None  # before the volumes, which take minutes
    coarse = groups.read(path) if form is manifest else None
    more = {
        manifest: {"burned_in": privacy.burned_in},
        folder: {"patient_pattern": patient_pattern},
    }.get(form, {})
    domain = replace(
        form.read(path, name, classes, grid, **more), kinds=kinds, covariates=table, groups=coarse
    )
    _check_classes(path, domain)
    _check_splits(path, domain)
    if key == PUBLISHED_KEY:
        say(
            f"{name}: {privacy.key_variable} is not set, so pseudonyms are made with a key that everybody knows"
        )
    domain.index["patient"] = [pseudonym(patient, key) for patient in domain.index["patient"]]
    domain.index["hash"] = fingerprints.hashes(domain.images)
    return domain


def pseudonym(patient: str, key: str) -> str:
    """16 hexadecimal digits of HMAC-SHA256 (RFC 2104): the same for a patient and a key, wherever they turn up."""
    return hmac.new(key.encode(), patient.encode(), hashlib.sha256).hexdigest()[:16]


def _key(privacy: Privacy) -> str:
    """The key in the environment, else that in the file, else the published one."""
    key = os.environ.get(privacy.key_variable)
    if key or privacy.key_file is None:
        return key or PUBLISHED_KEY
    file = Path(privacy.key_file).expanduser()
    if file.resolve().is_relative_to(Path.cwd().resolve()):
        raise InputError(
            f"privacy.key_file: {file} lies in this folder, expected one outside, where git cannot see it"
        )
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = (
            error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        )  # never what it holds
        raise InputError(
            f"privacy.key_file: {file} cannot be read ({reason}), expected a line with the key"
        ) from None
    if not key:
        raise InputError(f"privacy.key_file: {file} is empty, expected a line with the key")
    return key


def _form(path: Path) -> ModuleType:
    """The module that reads what lies at `path`."""
    if not path.exists():
        raise InputError(f"{path}: is missing, expected a folder of raw data")
    found = {
        manifest: (path / manifest.FILE).is_file(),
        arrays: any((path / file).is_file() for file in (arrays.DATA, arrays.LABELS)),
        medmnist: bool(medmnist.files(path)),
        folder: not (path / manifest.FILE).is_file() and folder.holds(path),
    }
    forms = [form for form, there in found.items() if there]
    if len(forms) != 1:
        names = " and ".join(form.__name__.rpartition(".")[2] for form in forms) or "none of these"
        raise InputError(
            f"{path}: holds {names}, expected one form of raw data: {manifest.FILE}, "
            f"{arrays.DATA} with {arrays.LABELS}, one MedMNIST .npz, or folders of pictures by class (docs/data.md)"
        )
    return forms[0]


def _check_classes(path: Path, domain: Domain) -> None:
    for label in domain.classes:
        if label not in set(domain.index["label"]):
            raise InputError(
                f"{path}: no patient has the label {label!r}, expected some of each of {domain.classes}"
            )


def _check_splits(path: Path, domain: Domain) -> None:
    first: dict[str, tuple[str, str]] = {}
    for patient, split, origin in zip(
        domain.index["patient"], domain.index["split"], domain.index["origin"]
    ):
        other, where = first.setdefault(patient, (split, origin))
        if other != split:
            raise InputError(
                f"{path}: one patient is in two given splits, {other or 'none'!r} at {where} and "
                f"{split or 'none'!r} at {origin}, expected one split a patient"
            )
