"""fitted.json: what was fitted with a model, on validation or out-of-fold cases only."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from graft.common.documents import check_read
from graft.common.files import check_files, read_sealed, write_sealed
from graft.familiarity.familiar import Familiar
from graft.networks.card import CARD
from graft.networks.saved import WEIGHTS

FITTED = "fitted.json"  # of a model folder
README = "README.md"
SCHEMA = Path(__file__).with_name("fitted.schema.json")
FORMAT = 1  # of fitted.json
PATIENT_EFFECT = ("sd", "interval", "distinguishable", "applied_sd")


@dataclass(frozen=True)
class Fitted:
    """What was fitted with a model, on validation or out-of-fold cases only.

    Attributes:
        name: of the chosen model, such as "bagging".
        source: the name of the source domain.
        target: the name of the target domain.
        temperature: by which log-probabilities are divided to calibrate them.
        points: thresholds of `sensitivity` and `specificity` for the raw probability of the
            disease, None if there is none; empty with more than two classes.
        wanted: the rates that the points were chosen for.
        miscoverage: α of the conformal sets.
        quantiles: by class, the largest score 1 - p (p calibrated) that is kept; None if the class
            has too few cases, so that it is always kept.
        familiar: what familiar inputs look like.
        licence: of the model, an SPDX expression.
        provenance: SHA-256 of data, split and weights, and the version of graft.
        patient_effect: the keys PATIENT_EFFECT of the block in metrics.json; None without an
            estimate, as in an older folder.
    """

    name: str
    source: str
    target: str
    temperature: float
    points: dict[str, float | None]
    wanted: dict[str, float]
    miscoverage: float
    quantiles: dict[str, float | None]
    familiar: Familiar
    licence: str
    provenance: dict
    patient_effect: dict | None = None

    @classmethod
    def read(cls, folder: Path) -> "Fitted | None":
        """Read what was fitted with the model of a folder; None for an older folder without it.

        Raises:
            InputError: if fitted.json cannot be read, was changed or has another format, or if the
                weights or the card are not those that it names.
        """
        path = folder / FITTED
        if not path.exists():
            return None
        content = read_sealed(path)
        check_read(path, content, SCHEMA)
        check_files(path, content, [WEIGHTS, CARD])
        familiar = Familiar.from_document(content["familiar"])
        names = [field.name for field in fields(cls) if field.name in content]
        return cls(**{**{name: content[name] for name in names}, "familiar": familiar})

    def write(self, folder: Path) -> None:
        """Write fitted.json beside the weights, the card and the README.md that it names."""
        write_sealed(folder / FITTED, {"format": FORMAT, **asdict(self)}, [WEIGHTS, CARD, README])
