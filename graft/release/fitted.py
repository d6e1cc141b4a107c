"""fitted.json: what was fitted with a model, on validation or out-of-fold cases only."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from graft.common.documents import check_read
from graft.common.files import check_files, read_sealed, write_sealed
from graft.familiarity.familiar import Familiar
from graft.grids.intensity_map import IntensityMap
from graft.networks.card import CARD
from graft.networks.saved import WEIGHTS
from graft.statistics.calibrate import Temperature

FITTED = "fitted.json"  # of a model folder
README = "README.md"
SCHEMA = Path(__file__).with_name("fitted.schema.json")
FORMAT = 1  # of fitted.json
PATIENT_EFFECT = ("sd", "interval", "distinguishable", "applied_sd")
OPTIONAL = ("bias", "intensity", "adaptation")  # fields that are left out if they are empty


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
        bias: by class, what is added to the log-probabilities after the temperature; empty unless
            the model was adapted to a site.
        intensity: how patches of the site are mapped before the networks see them.
        adaptation: the parent of a model that was adapted to a site, and how it was adapted.
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
    bias: dict[str, float] = field(default_factory=dict)
    intensity: IntensityMap | None = None
    adaptation: dict | None = None

    @property
    def calibration(self) -> Temperature:
        """What maps the raw probabilities to calibrated ones."""
        return Temperature(self.temperature, (), tuple(self.bias.values()))

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
        known = {one.name: content[one.name] for one in fields(cls) if one.name in content}
        known["familiar"] = Familiar.from_document(content["familiar"])
        if known.get("intensity"):
            known["intensity"] = IntensityMap(**known["intensity"])
        return cls(**known)

    def write(self, folder: Path) -> None:
        """Write fitted.json beside the weights, the card and the README.md that it names."""
        content = asdict(self)
        for name in OPTIONAL:
            if not content[name]:
                del content[name]
        write_sealed(folder / FITTED, {"format": FORMAT, **content}, [WEIGHTS, CARD, README])
