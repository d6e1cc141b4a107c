"""Patches on which an export is compared with the model that it was made from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.data.covariates import WORD_BUCKETS
from graft.grids.intensity_map import IntensityMap
from graft.networks.saved import Model
from graft.statistics.calibrate import Temperature

TOLERANCE = 1e-5  # of a probability
NOISE = 4  # patches of noise
SPHERES = 6  # patches with a bright sphere
BEYOND = 0.25  # how far patches reach beyond the window, as a share of it
GIVEN = 64  # patches of the user, at most
BATCHES = (1, 2)  # the sizes of the first batches; the rest is one batch

Results = tuple[np.ndarray, np.ndarray]  # calibrated and raw probabilities, (B, classes) each
Run = Callable[[np.ndarray, np.ndarray | None], Results]


@dataclass(frozen=True)
class Samples:
    """Inputs of an export, and what the model says of them.

    Attributes:
        images: (N, C, *patch) float32, in the intensities that the export expects.
        covariates: (N, K) float32, or None.
        expected: calibrated and raw probabilities, (N, classes) float64 each.
    """

    images: np.ndarray
    covariates: np.ndarray | None
    expected: Results

    def batches(self) -> Iterator[slice]:
        """Batches of one, two and all other samples."""
        start = 0
        for size in (*BATCHES, len(self.images)):
            stop = min(start + size, len(self.images))
            if start < stop:
                yield slice(start, stop)
            start = stop


def make_samples(
    model: Model,
    temperature: float,
    window: tuple[float, float] | None,
    given: np.ndarray | None = None,
    bias: tuple[float, ...] = (),
    intensity: IntensityMap | None = None,
) -> Samples:
    """Make random and reference patches, and let the model predict for them.

    Args:
        model: that is exported.
        temperature: of its calibration.
        window: the intensities that become 0 and 1, None if the export expects these.
        given: further patches (N, C, *patch) in [0, 1]; at most GIVEN of them are used.
        bias: of its calibration.
        intensity: how patches in [0, 1] are mapped before the networks see them.

    Raises:
        InputError: if the given patches have another shape than those of the model.
    """
    relative = _relative_patches(model)
    if given is not None:
        _check_shape(given, relative)
        relative = np.concatenate([relative, np.asarray(given[:GIVEN], np.float32)])
    images = relative
    windowed = relative.clip(0, 1)
    if window is not None:
        low, high = np.float32(window[0]), np.float32(window[1])
        images = low + relative * (high - low)
        windowed = ((images - low) / (high - low)).clip(0, 1)
    table = _random_covariates(model.encoding.columns, len(images))
    inputs = windowed.astype(np.float16)
    probabilities = model.predict(intensity.apply(inputs) if intensity else inputs, table)
    calibrated = Temperature(temperature, (), bias).apply(probabilities)
    covariates = model.encoding.encode(table) if model.encoding.width else None
    stored = images if window is not None else windowed
    return Samples(stored, covariates, (calibrated, probabilities))


def largest_difference(name: str, run: Run, samples: Samples) -> float:
    """Run an export on all samples, and compare it with the model.

    Args:
        name: of the export, for the message.
        run: maps images and covariates of a batch to calibrated and raw probabilities.
        samples: what to compare on.

    Returns:
        The largest absolute difference of a probability.

    Raises:
        InputError: if it is above TOLERANCE or NaN.
    """
    differences = []
    for rows in samples.batches():
        covariates = None if samples.covariates is None else samples.covariates[rows]
        found = run(samples.images[rows], covariates)
        for values, expected in zip(found, samples.expected, strict=True):
            if values.shape != expected[rows].shape:
                raise InputError(
                    f"{name}: gives probabilities of the shape {values.shape}, expected "
                    f"{expected[rows].shape}; the export is not kept"
                )
            differences.append(np.abs(values - expected[rows]).max())
    largest = float(np.max(differences))
    if not largest <= TOLERANCE:
        raise InputError(
            f"{name}: differs from the model by {largest:.2g} in a probability, expected at most "
            f"{TOLERANCE:g}; the export is not kept"
        )
    return largest


def _relative_patches(model: Model) -> np.ndarray:
    """Noise, spheres, and spheres at the limits: (N, C, *patch) float32, the window is 0 to 1."""
    architecture = model.card["architecture"]
    channels, patch = architecture["channels"], architecture["patch"]
    random = generator(0, "samples of an export")
    shape = (channels, *patch)
    patches = [random.uniform(-BEYOND, 1 + BEYOND, shape) for _ in range(NOISE)]
    axes = np.meshgrid(*[np.linspace(-1, 1, side) for side in patch], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))  # (*patch), 1 at the middle of a face
    for size in np.linspace(0.2, 1.2, SPHERES):
        sphere = random.uniform(0, 0.5) + random.uniform(0, 0.7) * (radius < size)
        patches.append(np.broadcast_to(sphere, shape) + random.normal(0, 0.05, shape))
    # A patch of one value is no input: graft refuses it, and GroupNorm would divide rounding errors
    # by a deviation near 0.
    for inside, outside in ((-BEYOND, 1 + BEYOND), (1 + BEYOND, -BEYOND)):
        patches.append(np.broadcast_to(np.where(radius < 0.5, inside, outside), shape))
    return np.stack(patches).astype(np.float32)


def _check_shape(given: np.ndarray, patches: np.ndarray) -> None:
    if given.shape[1:] != patches.shape[1:]:
        raise InputError(
            f"patches: have the shape {tuple(given.shape[1:])}, expected {patches.shape[1:]}, "
            "as those on which the model was trained"
        )


def _random_covariates(columns: Sequence[Mapping], count: int) -> pd.DataFrame:
    """Covariates as text of `count` lesions, some of them unknown."""
    random = generator(0, "covariates of an export")
    table = {}
    for column in columns:
        cells = [_random_cell(column, random) for _ in range(count)]
        cells[count // 2] = ""
        table[column["name"]] = cells
    return pd.DataFrame(table, index=range(count), dtype=object)


def _random_cell(column: Mapping, random: np.random.Generator) -> str:
    if column["kind"] == "number":
        return repr(float(random.normal(column["mean"], column["std"])))
    if column["kind"] == "category":
        return str(random.choice(column["categories"]))
    buckets = random.choice(WORD_BUCKETS, 3, replace=False)
    return " ".join(f"{bucket}:1" for bucket in buckets)
