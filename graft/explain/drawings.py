"""Pictures of where a model looked: planes through the middle of a patch with maps over them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from graft.explain.saliency import SaliencyMaps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The two ends of PuOr, a colour scale that colour-blind people can read.
AGAINST = "#e08214"
FOR = "#8073ac"
PLANE_INCHES = 2.2
DOTS_PER_INCH = 90
MOST_OPACITY = 0.65  # of a map at its maximum
WHOLE = slice(None)


@dataclass(frozen=True)
class Plane:
    """One plane through the middle of a patch.

    Attributes:
        name: the label in the picture.
        index: selects the plane from an array (*patch).
        aspect: the height of a voxel divided by its width.
        turned: whether the picture is turned to radiological orientation: the patient's right is
            on the left, and the front or the head is up. The axes must point to R, A or S.
    """

    name: str
    index: tuple[int | slice, ...]
    aspect: float
    turned: bool

    def of(self, array: np.ndarray) -> np.ndarray:
        """Select the plane of an array (*patch), as rows from the top and columns from the left."""
        plane = array[self.index]
        return plane.T[::-1, ::-1] if self.turned else plane


def draw_maps(
    path: Path | BinaryIO,
    title: str,
    image: np.ndarray,
    maps: Mapping[str, SaliencyMaps],
    row: int,
    region: np.ndarray | None,
    spacing: list[float] | None,
) -> None:
    """Write a PNG with a row per plane, and a column for the image and for each map.

    With a spacing, planes are turned to radiological orientation. Without one, rows and columns
    are those of the array. Evidence for the disease is violet, evidence against it is orange. Each
    map has its own scale. The same arguments give the same bytes.

    Args:
        path: the PNG file, or an open one.
        title: the text above the picture, "" for none.
        image: (C, *patch) in [0, 1]; the mean over the channels is shown.
        maps: maps of several patches, by the name of the method.
        row: the position of the patch in these maps.
        region: (*patch) bool, whose outline is drawn, or None.
        spacing: mm per voxel, or None.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    planes = _middle_planes(image.shape[1:], spacing)
    grey = image.mean(0, dtype=np.float32)  # (*patch)
    columns = 1 + len(maps)
    width = PLANE_INCHES * columns
    height = PLANE_INCHES * len(planes) + 0.5  # and a line for the title
    figure = Figure(
        figsize=(width, height),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=9)
    grid = figure.subplots(len(planes), columns, squeeze=False)
    for line, plane in enumerate(planes):
        for axes, shown in zip(grid[line], [None, *maps.values()], strict=True):
            axes.imshow(
                plane.of(grey),
                cmap="gray",
                vmin=0,
                vmax=1,
                aspect=plane.aspect,
            )
            if shown is not None:
                _draw_map(axes, plane, shown, row)
            if region is not None:
                _draw_outline(axes, plane.of(region))
            axes.set(xticks=[], yticks=[])
        grid[line, 0].set_ylabel(plane.name, fontsize=8)
    for axes, label in zip(grid[0], ["image", *maps], strict=True):
        axes.set_title(label, fontsize=8)
    figure.savefig(path, metadata={"Software": None})


def _middle_planes(patch: tuple[int, ...], spacing: list[float] | None) -> list[Plane]:
    """The three planes through the middle of a volume, or the one plane of a picture."""
    mm = spacing or [1.0] * len(patch)
    turned = spacing is not None
    if len(patch) == 2:
        return [Plane("", (WHOLE, WHOLE), mm[1] / mm[0], turned)]
    i, j, k = (side // 2 for side in patch)
    axial, coronal, sagittal = ("axial", "coronal", "sagittal") if turned else ("", "", "")
    return [
        Plane(axial, (WHOLE, WHOLE, k), mm[1] / mm[0], turned),
        Plane(coronal, (WHOLE, j, WHOLE), mm[2] / mm[0], turned),
        Plane(sagittal, (i, WHOLE, WHOLE), mm[2] / mm[1], turned),
    ]


def _draw_map(
    axes: "Axes",
    plane: Plane,
    maps: SaliencyMaps,
    row: int,
) -> None:
    """Draw one plane of a map over the image: the colour is the sign, the opacity the saliency."""
    from matplotlib.colors import ListedColormap

    # The maximum is that of the whole patch, so that its planes can be compared.
    maximum = float(maps.values[row].max()) or 1.0
    shown = plane.of(maps.values[row])
    opacity = MOST_OPACITY * (shown / maximum)
    speaks_for = plane.of(maps.signed[row]) > 0
    colours = ListedColormap([AGAINST, FOR])
    axes.imshow(
        speaks_for,
        cmap=colours,
        vmin=0,
        vmax=1,
        alpha=opacity,
        aspect=plane.aspect,
    )


def _draw_outline(axes: "Axes", inside: np.ndarray) -> None:
    """Draw the outline of a region (rows, columns), unless it covers no voxel or all of them."""
    if inside.any() and not inside.all():
        axes.contour(
            inside.astype(float),
            levels=[0.5],
            colors="white",
            linewidths=0.8,
        )
