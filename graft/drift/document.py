"""drift.json: the comparison of the last scans with the reference of their model."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from graft.common.documents import check_schema, clean
from graft.common.files import InputError
from graft.common.shown import counted
from graft.drift.compare import LEVEL, compare_scans
from graft.drift.scans import Scan
from graft.drift.window import FEWEST
from graft.release.fitted import FITTED, Fitted

SCHEMA = Path(__file__).with_name("drift.schema.json")
SCHEMA_VERSION = 1


class TooFewError(InputError):
    """There are too few scans to compare."""


def read_reference(folder: Path) -> dict[str, list[float]]:
    """Read what inputs of the training looked like.

    Args:
        folder: of the model.

    Raises:
        InputError: if the folder has no reference, or what it has cannot be read.
    """
    fitted = Fitted.read(folder)
    if fitted is None or not fitted.familiar.reference:
        found = f"is missing {FITTED}" if fitted is None else f"{FITTED} has no reference"
        raise InputError(
            f"{folder}: {found}, expected a model that `evaluate` of this version of graft wrote"
        )
    return fitted.familiar.reference


def assemble_document(
    model: str, reference: dict[str, list[float]], scans: Sequence[Scan], window: int
) -> dict:
    """Compare the last scans with the reference and return drift.json.

    Args:
        model: the SHA-256 of the model.
        reference: values by measurement, of the model.
        scans: the oldest first.
        window: how many of the last scans are compared.

    Raises:
        TooFewError: if there are too few scans.
    """
    last = scans[-window:]
    if len(last) < FEWEST:
        raise TooFewError(
            f"drift: got {counted(len(last), 'scan')}, expected at least {FEWEST}; "
            "add the predictions of earlier nights"
        )
    comparisons = compare_scans(reference, last)
    document = clean(
        {
            "schema_version": SCHEMA_VERSION,
            "model": model,
            "scans": len(last),
            "window": window,
            "level": LEVEL,
            "alarm": any(comparison.is_alarm for comparison in comparisons),
            "tests": [asdict(comparison) for comparison in comparisons],
        }
    )
    check_schema(document, SCHEMA)
    return document
