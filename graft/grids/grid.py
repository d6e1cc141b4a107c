"""The voxel grid and the intensity window of the images of a domain."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """The voxel grid and the intensity window of every image of a domain.

    Attributes:
        patch: voxels along R, A, S (or R, A).
        spacing: mm per voxel along the same axes.
        window: the intensities that become 0 and 1.
        intensity: the unit of the window, one of those that `graft.grids.intensity.raw_window`
            lists.
    """

    patch: tuple[int, ...]
    spacing: tuple[float, ...]
    window: tuple[float, float]
    intensity: str = "window"

    def about(self, size: str, spaced: bool) -> dict:
        """Describe how the images of a domain were made, as `Domain.preprocessing`.

        Args:
            size: what the column `size` of the index measures.
            spaced: whether the raw data has a spacing in mm.
        """
        return {
            "patch": list(self.patch),
            "spacing": list(self.spacing) if spaced else None,
            "window": list(self.window),
            "intensity": self.intensity,
            "size": size,
        }
