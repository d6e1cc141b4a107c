"""Raw domains, read with settings that tests change."""

from pathlib import Path

from graft.data.domain import Domain
from graft.grids.grid import Grid
from graft.ingest.read import read_raw_domain
from graft.ingest.settings import Preprocess, RawDomain
from graft.keys.settings import PseudonymKey

KEY = PseudonymKey(key_variable="GRAFT_PATIENT_KEY", key_file=None)


def read_domain(
    path: Path,
    name: str,
    classes: list[str],
    grid: Grid,
    key: PseudonymKey = KEY,
    patient_pattern: str | None = None,
    covariates: dict[str, str] | None = None,
    tasks: dict[str, str] | None = None,
    channels: str = "auto",
    ignore: str | None = None,
) -> Domain:
    settings = RawDomain.model_validate(
        {
            "path": str(path),
            "classes": classes,
            "window": list(grid.window),
            "intensity": grid.intensity,
            "channels": channels,
            "ignore": ignore,
            "patient_pattern": patient_pattern,
            "covariates": covariates or {},
            "tasks": tasks or {},
            "burned_in": "refuse",
        }
    )
    preprocess = Preprocess(patch=list(grid.patch), spacing=list(grid.spacing))
    return read_raw_domain(name, settings, preprocess, key)
