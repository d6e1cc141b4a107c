"""The form of a model's inputs, as its card gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.common.files import InputError
from graft.grids.grid import Grid
from graft.grids.intensity_map import IntensityMap
from graft.ingest.log_size import LOG_SIZE
from graft.networks.card import CARD

DIAMETER = "diameter in mm"  # what the size of a lesion may be


@dataclass(frozen=True)
class InputForm:
    """How the inputs of a model are made.

    Attributes:
        grid: of the patch.
        channels: of the patch: 1 for grey levels, 3 for colours, or any number for arrays.
        spaced: whether patches have a spacing in mm, as those of scans do.
        size_is_diameter: whether the size of a lesion is its diameter in mm. Otherwise it is a
            number of voxels.
        kinds: number, category or text for each covariate that the model reads.
        intensity: how patches are mapped before the networks see them, if the model was adapted to
            the intensities of a site.
    """

    grid: Grid
    channels: int
    spaced: bool
    size_is_diameter: bool
    kinds: Mapping[str, str]
    intensity: IntensityMap | None = None

    @classmethod
    def of_card(cls, folder: Path, card: Mapping[str, Any]) -> "InputForm":
        """The form of a model's inputs.

        Args:
            folder: of the model, for messages.
            card: its content.

        Raises:
            InputError: if the card does not give it.
        """
        try:
            made = card["preprocessing"]
            patch = tuple(made["patch"])
            spacing = made["spacing"] or [1.0] * len(patch)
            low, high = made["window"]
            return cls(
                grid=Grid(patch, tuple(spacing), (low, high), made.get("intensity", "window")),
                channels=card["architecture"]["channels"],
                spaced=made["spacing"] is not None,
                size_is_diameter=made.get("size") == DIAMETER,
                kinds={column["name"]: column["kind"] for column in card.get("covariates", ())},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{folder / CARD}: does not say how the images of the model were made "
                f"({type(error).__name__}: {error}), expected a model that graft has trained"
            ) from error

    @property
    def reads_size(self) -> bool:
        """Whether the model reads the size of the lesion."""
        return LOG_SIZE in self.kinds

    @property
    def columns(self) -> list[str]:
        """The covariates that graft does not measure itself."""
        return [name for name in self.kinds if name != LOG_SIZE]
