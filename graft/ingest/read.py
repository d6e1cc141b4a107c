"""Raw data in any of its forms, read as a domain."""

import os
from dataclasses import replace
from pathlib import Path

from graft.common.files import InputError
from graft.common.vocabulary import SYNTHETIC
from graft.data.domain import Domain
from graft.duplicates.fingerprints import fingerprint_images
from graft.grids.grid import Grid
from graft.ingest.arrays import DATA_FILE, LABELS_FILE, read_arrays
from graft.ingest.channels import convert_channels
from graft.ingest.covariates import read_covariates
from graft.ingest.log_size import LOG_SIZE, add_log_size
from graft.ingest.manifest import Storage, VolumeOptions, read_manifest
from graft.ingest.medmnist import list_npz_files, read_medmnist
from graft.ingest.rows import MANIFEST
from graft.ingest.settings import Preprocess, RawDomain
from graft.ingest.subgroups import read_subgroup_columns
from graft.ingest.tasks import FORMS, TASKS_FILE, check_rows, read_tasks
from graft.keys.find import find_key
from graft.keys.pseudonyms import PUBLISHED_KEY, fingerprint, pseudonym
from graft.keys.settings import PseudonymKey
from graft.pictures.folder import has_image_folders, read_image_folder


def read_raw_domain(
    name: str,
    settings: RawDomain,
    preprocess: Preprocess,
    key: PseudonymKey,
    path: Path | None = None,
    synthetic: bool = False,
    storage: Storage | None = None,
) -> Domain:
    """Read raw data as a domain: one image per lesion, with pseudonyms in place of patients.

    Clinical covariates and tasks are sorted by name. The columns scanner, sex and age of a manifest
    are made coarse and kept too, as groups in which models are evaluated.

    Args:
        name: The name of the domain.
        settings: What the raw data is. Only folders of pictures may have a `patient_pattern` and
            an `ignore`, only a manifest may have `covariates` besides `log_size`, and only a
            manifest or arrays may have `tasks`.
        preprocess: The patch and its spacing.
        key: Where the key of the pseudonyms is found.
        path: The raw data, by default the `path` of the settings.
        synthetic: Whether the patients do not exist. They get pseudonyms under the published key,
            which are the same on every machine.
        storage: Where the patches of volumes go. Without it they are only in memory.

    Raises:
        InputError: If the data does not match its form, a class has no patients, a patient is in
            two of the given splits, or the key cannot be used.
    """
    path = Path(settings.path) if path is None else path
    secret = PUBLISHED_KEY if synthetic else find_key(key)
    form = _find_form(path)
    _check_form(name, path, form, settings)
    kinds = dict(sorted(settings.covariates.items()))
    columns = {column: kind for column, kind in kinds.items() if column != LOG_SIZE}
    # Before the volumes, which take minutes.
    covariates = read_covariates(path, columns) if columns else None
    task_kinds = dict(sorted(settings.tasks.items()))
    tasks = read_tasks(path, form, task_kinds) if task_kinds else None
    groups = read_subgroup_columns(path) if form == "manifest" else None
    options = VolumeOptions(settings.burned_in == "allow", settings.channels, secret, storage)
    domain = _read_form(form, path, name, settings, _make_grid(settings, preprocess), options)
    images = convert_channels(name, domain.images, settings.channels)
    if LOG_SIZE in kinds:
        covariates = add_log_size(covariates, domain.index["size"])
    domain = replace(domain, images=images, kinds=kinds, covariates=covariates, groups=groups)
    if tasks is not None:
        check_rows(path, tasks, task_kinds, domain.index["patient"].tolist())
        domain = replace(domain, task_kinds=task_kinds, tasks=tasks)
    _check_classes(path, domain)
    _check_given_splits(path, domain)
    patients = domain.index["patient"]
    domain.index["patient"] = [pseudonym(patient, secret) for patient in patients]
    if "hash" not in domain.index:
        domain.index["hash"] = fingerprint_images(domain.images)
    return replace(domain, patient_key=SYNTHETIC if synthetic else fingerprint(secret))


def _make_grid(settings: RawDomain, preprocess: Preprocess) -> Grid:
    low, high = settings.window
    patch, spacing = tuple(preprocess.patch), tuple(preprocess.spacing)
    return Grid(patch, spacing, (low, high), settings.intensity)


def _find_form(path: Path) -> str:
    """The form of the raw data at `path`, by its content."""
    if not path.exists():
        raise InputError(f"{path}: is missing, expected a folder of raw data")
    # A broken link or a pipe is there as well; who reads the form refuses it by name.
    has_manifest, has_data, has_labels = (
        os.path.lexists(path / file) for file in (MANIFEST, DATA_FILE, LABELS_FILE)
    )
    forms = {
        "manifest": has_manifest,
        "arrays": has_data or has_labels,
        "medmnist": bool(list_npz_files(path)),
        "folder": not has_manifest and has_image_folders(path),
    }
    found = [form for form, is_found in forms.items() if is_found]
    if len(found) != 1:
        raise InputError(
            f"{path}: contains {' and '.join(found) or 'none of these'}, expected one form of raw "
            f"data: {MANIFEST}, {DATA_FILE} with {LABELS_FILE}, one MedMNIST .npz, or folders of "
            "pictures by class"
        )
    return found[0]


def _check_form(name: str, path: Path, form: str, settings: RawDomain) -> None:
    """Raise InputError if the raw data cannot have what the settings name."""
    for key in ("patient_pattern", "ignore"):
        value = getattr(settings, key)
        if value is not None and form != "folder":
            raise InputError(
                f"domains.{name}.{key}: got {value!r}, expected null, "
                f"as {path} has no folders of pictures by class"
            )
    kind = settings.covariates.get(LOG_SIZE, "number")
    if kind != "number":
        raise InputError(
            f"domains.{name}.covariates.{LOG_SIZE}: got {kind!r}, expected number, as graft "
            "measures it"
        )
    columns = sorted(set(settings.covariates) - {LOG_SIZE})
    if columns and form != "manifest":
        raise InputError(
            f"domains.{name}.covariates: got {', '.join(columns)}, expected {{}} or {LOG_SIZE}, as "
            f"{path} is no folder with a {MANIFEST} and only that has columns"
        )
    if settings.tasks and form not in FORMS:
        given = ", ".join(sorted(settings.tasks))
        raise InputError(
            f"domains.{name}.tasks: got {given}, expected {{}}, as {path} has neither a {MANIFEST} "
            f"nor a {TASKS_FILE} beside {DATA_FILE}"
        )


def _read_form(
    form: str, path: Path, name: str, settings: RawDomain, grid: Grid, options: VolumeOptions
) -> Domain:
    classes = settings.classes
    if form == "manifest":
        return read_manifest(path, name, classes, grid, options)
    if form == "arrays":
        return read_arrays(path, name, classes, grid)
    if form == "medmnist":
        return read_medmnist(path, name, classes, grid)
    return read_image_folder(path, name, classes, grid, settings.patient_pattern, settings.ignore)


def _check_classes(path: Path, domain: Domain) -> None:
    found = set(domain.index["label"])
    for label in domain.classes:
        if label not in found:
            raise InputError(
                f"{path}: no patient has the label {label!r}, "
                f"expected some of each of {domain.classes}"
            )


def _check_given_splits(path: Path, domain: Domain) -> None:
    """Raise InputError if a patient is in two of the given splits."""
    first: dict[str, tuple[str, str]] = {}
    places = domain.files or domain.index["origin"]
    columns = domain.index["patient"], domain.index["split"], places
    for patient, split, place in zip(*columns, strict=True):
        expected, first_place = first.setdefault(patient, (split, place))
        if split != expected:
            raise InputError(
                f"{path}: one patient is in two given splits, {expected or 'none'!r} at "
                f"{first_place} and {split or 'none'!r} at {place}, expected one split per patient"
            )
