"""Pictures of where a model looked: the three planes through the middle of a patch, with its maps over them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.explain.saliency import Maps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AGAINST, FOR = (
    "#e08214",
    "#8073ac",
)  # the sides of PuOr, a colour scale that the colour-blind can read
INCHES, DOTS = 2.2, 90  # of one plane, and dots an inch
STRONGEST = 0.65  # opacity of a map where it is strongest


def draw(
    path: Path,
    title: str,
    image: np.ndarray,
    maps: Mapping[str, Maps],
    row: int,
    region: np.ndarray | None,
    spacing: list[float] | None,
) -> None:
    """Write a PNG: a row for each plane, a column for the image and for each map, the outline of the region in all.

    Where there is a spacing, the patient's right is left and the front, or the head, is up, as radiologists look at
    it; anything else is drawn as the array lies. What speaks for the disease is violet, what speaks against it
    orange, each map on a scale of its own. The same arguments give the same bytes.

    Args:
        image: (C, *patch) in [0, 1]; the mean over the channels is shown.
        maps: name -> maps, of which `row` is shown.
        region: (*patch) bool, or None.
        spacing: mm a voxel, or None.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    planes = _planes(image.shape[1:], spacing)
    figure = Figure(
        figsize=(INCHES * (1 + len(maps)), INCHES * len(planes) + 0.5),
        dpi=DOTS,
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    grid = figure.subplots(len(planes), 1 + len(maps), squeeze=False)
    for line, (name, where, aspect) in enumerate(planes):
        for axis, (label, shown) in zip(grid[line], [("image", None), *maps.items()]):
            flat = _turn if spacing else np.asarray
            axis.imshow(
                flat(image.mean(0, dtype=np.float32)[where]),
                cmap="gray",
                vmin=0,
                vmax=1,
                aspect=aspect,
            )
            if shown is not None:
                _overlay(axis, flat(shown.signed[row][where]), shown, row, aspect)
            if region is not None and 0 < region[where].sum() < region[where].size:
                axis.contour(
                    flat(region[where]).astype(float), levels=[0.5], colors="white", linewidths=0.8
                )
            axis.set(xticks=[], yticks=[])
            if line == 0:
                axis.set_title(label, fontsize=8)
        grid[line, 0].set_ylabel(name, fontsize=8)
    figure.savefig(path, metadata={"Software": None})


def _planes(patch: tuple[int, ...], spacing: list[float] | None) -> list[tuple[str, tuple, float]]:
    """Name, index and height of a voxel over its width of each plane to show."""
    mm, every = spacing or [1.0] * len(patch), slice(None)
    if len(patch) == 2:
        return [("", (every, every), mm[1] / mm[0])]
    i, j, k = (side // 2 for side in patch)
    names = ("axial", "coronal", "sagittal") if spacing else ("", "", "")
    where = (every, every, k), (every, j, every), (i, every, every)
    return list(zip(names, where, (mm[1] / mm[0], mm[2] / mm[0], mm[2] / mm[1])))


def _overlay(axis: "Axes", plane: np.ndarray, shown: Maps, row: int, aspect: float) -> None:
    from matplotlib.colors import ListedColormap

    strongest = (
        float(shown.values[row].max()) or 1.0
    )  # of the whole patch, so that its planes can be compared
    opacity = (plane.clip(0) if shown.sided else np.abs(plane)) / strongest
    colours = ListedColormap([AGAINST, FOR])
    axis.imshow(plane > 0, cmap=colours, vmin=0, vmax=1, alpha=STRONGEST * opacity, aspect=aspect)


def _turn(plane: np.ndarray) -> np.ndarray:
    """A plane of axes towards R, A or S, as rows from the top and columns from the left."""
    return plane.T[::-1, ::-1]
