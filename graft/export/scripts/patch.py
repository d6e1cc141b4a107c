"""The preprocessing of this bundle: from a file to the patch that the network takes."""

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import (
    GaussianSmooth,
    LoadImage,
    MapTransform,
    ScaleIntensityRange,
    SpatialResample,
)
from PIL import Image, ImageOps

COARSER = 1.5  # a patch this many times as coarse as its scan needs smoothing before resampling
MAX_VOXELS = 1 << 22  # of one scan that its foreground is measured in
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue
MODES = {"1": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGBA": "RGB"}  # and what they are read as
FWHM = 2 * np.sqrt(2 * np.log(2))  # full width at half maximum of a Gaussian, in deviations


class Patchd(MapTransform):
    """Read a file and make its patch (C, *patch) float32 in [0, 1].

    With a spacing the file is a scan, and the patch is cut at the lesion, whose position in mm
    (R, A, S) is the item `position`. Without one the file is a picture, which is resized and
    cropped about its middle, or a patch in a .npy file.

    Args:
        keys: of the files.
        patch: voxels along R, A, S, or along two axes.
        spacing: mm per voxel along the same axes, or None.
        window: the intensities that become 0 and 1.
        intensity: the unit of the window: window, percentile or zscore of the scan's foreground.
        channels: C. A grey image is repeated, and of a picture in colour a grey one is its luma.
    """

    def __init__(
        self,
        keys: KeysCollection,
        patch: Sequence[int],
        spacing: Sequence[float] | None,
        window: Sequence[float],
        intensity: str,
        channels: int,
    ) -> None:
        super().__init__(keys)
        self.patch, self.spacing, self.channels = tuple(patch), spacing, channels
        self.window, self.intensity = tuple(window), intensity

    def __call__(self, data: Mapping[Hashable, object]) -> dict[Hashable, object]:
        """Replace each file by its patch, and add the item `lesion`, its name in a table.

        The item `covariates` becomes a tensor.
        """
        found = dict(data)
        for key in self.key_iterator(found):
            path = str(found[key])
            found["lesion"] = _name_lesion(path, found.get("position"))
            if self.spacing is not None:
                patch = self._cut(path, np.array(found["position"], float))
            elif path.endswith(".npy"):
                patch = self._scale(np.load(path).astype(np.float32))
            else:
                patch = self._resize(path)
            patch = self._match_channels(patch.reshape(-1, *self.patch), path)
            found[key] = torch.from_numpy(patch)
        if "covariates" in found:
            found["covariates"] = torch.tensor(found["covariates"], dtype=torch.float32)
        return found

    def _cut(self, path: str, position: np.ndarray) -> np.ndarray:
        """The patch of a scan at a position."""
        scan = LoadImage(image_only=True, ensure_channel_first=True)(path)
        to_mm = scan.affine.numpy()
        size, spacing = np.array(self.patch), np.array(self.spacing)
        if len(size) == 2:  # a plane, as thin as the finest side of a voxel
            size = np.append(size, 1)
            spacing = np.append(spacing, np.linalg.norm(to_mm[:3, :3], axis=0).min())
        image = MetaTensor(self._scale(scan.numpy()), affine=scan.affine)
        k = 1 / np.linalg.norm(to_mm[:3, :3] / spacing[:, None], axis=0)
        sigma = np.where(k > COARSER, np.sqrt(np.maximum(k**2 - 1, 0)) / FWHM, 0.0)
        if sigma.any():
            image = GaussianSmooth(sigma.tolist())(image)
        affine = np.diag([*spacing, 1.0])
        affine[:3, 3] = position - spacing * (size - 1) / 2
        resample = SpatialResample(mode="bilinear", padding_mode="zeros", dtype=np.float64)
        return resample(image, torch.from_numpy(affine), spatial_size=size.tolist()).numpy()

    def _resize(self, path: str) -> np.ndarray:
        """The patch of a picture: its largest part about the middle that has the patch's shape."""
        planes = self._scale(_read_picture(path))
        rows, columns = self.patch
        height, width = planes.shape[1:]
        scale = min(height / rows, width / columns)
        box_height, box_width = scale * rows, scale * columns
        left, top = (width - box_width) / 2, (height - box_height) / 2
        box = (left, top, left + box_width, top + box_height)
        resized = []
        for plane in planes:
            picture = Image.fromarray(plane)
            resized.append(picture.resize((columns, rows), Image.Resampling.BILINEAR, box=box))
        return np.stack([np.asarray(plane) for plane in resized])

    def _match_channels(self, patch: np.ndarray, path: str) -> np.ndarray:
        """The patch (C, *patch) with the channels of the network."""
        if len(patch) == self.channels:
            return patch
        if len(patch) == 1:
            return np.repeat(patch, self.channels, axis=0)
        if len(patch) == len(LUMA) and self.channels == 1:
            return np.tensordot(LUMA, patch, axes=1)[None]
        raise ValueError(f"{path}: has {len(patch)} channels, expected {self.channels}")

    def _scale(self, image: np.ndarray) -> np.ndarray:
        """Intensities from 0 to 1 within the window."""
        low, high = self.window
        if self.intensity != "window":
            sample = _sample(image)
            foreground = sample[sample > sample.min()]
            if self.intensity == "percentile":
                low, high = np.percentile(foreground, self.window)
            else:
                low, high = foreground.mean() + np.array(self.window) * foreground.std()
        scaled = ScaleIntensityRange(low, high, 0.0, 1.0, clip=True)(image)
        return np.asarray(scaled, np.float32)


def _read_picture(path: str) -> np.ndarray:
    """The planes (C, rows, columns) of a picture as it is shown: 1 if all of it is grey, else 3."""
    picture = ImageOps.exif_transpose(Image.open(Path(path)))
    pixels = np.atleast_3d(np.asarray(picture.convert(MODES.get(picture.mode, picture.mode))))
    is_grey = (pixels == pixels[..., :1]).all()
    planes = np.moveaxis(pixels, -1, 0).astype(np.float32)
    return planes[:1] if is_grey else planes


def _sample(voxels: np.ndarray) -> np.ndarray:
    """The finite voxels (N,) of a scan: of a large one, every k-th along the last two axes."""
    *others, rows, columns = voxels.shape
    step = 1
    while (
        step < max(rows, columns)
        and math.prod(others) * math.ceil(rows / step) * math.ceil(columns / step) > MAX_VOXELS
    ):
        step += 1
    sample = voxels[..., ::step, ::step].astype(np.float64)
    return sample[np.isfinite(sample)]


def _name_lesion(path: str, position: object) -> str:
    """The file, and the position if there is one: a scan may have several lesions."""
    if position is None:
        return path
    return " ".join([path, "at", *map(str, np.asarray(position).tolist())])
