"""How well saliency maps point at lesions, lesion by lesion and with intervals over patients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.data.domain import Domain
from graft.explain.saliency import Maps
from graft.networks.saved import BATCH, Model
from graft.statistics.bootstrap import draw_patients, interval, p_value, resample
from graft.statistics.scores import ratio

Method = Callable[[Model, np.ndarray, pd.DataFrame], Maps]


@dataclass(frozen=True)
class Pointing:
    """Of N lesions; NaN where the map is 0 everywhere, or the lesion has no region."""

    share: np.ndarray  # (N,) of the saliency that lies within the region
    hit: np.ndarray  # (N,) 1 where the maximum lies within the region or nearly so, else 0
    by_chance: np.ndarray  # (N,) share of the patch's voxels that would be hits


def score(maps: Maps, regions: np.ndarray) -> Pointing:
    """Score maps against regions (N, *patch) bool.

    A maximum hits that lies no further than `tolerance` beside the region along each axis. Of equal maxima the first
    counts. The pointing game is that of Zhang et al., "Top-down Neural Attention by Excitation Backprop", IJCV 2018.
    """
    from scipy.ndimage import maximum_filter

    window = [2 * voxels + 1 for voxels in tolerance(maps.step)]
    near = np.stack(
        [maximum_filter(region, window, mode="constant") for region in regions]
    ).reshape(len(regions), -1)
    flat, inside = (
        maps.values.reshape(len(regions), -1).astype(np.float64),
        regions.reshape(len(regions), -1),
    )
    there = (flat.max(1) > 0) & inside.any(1)
    return Pointing(
        ratio(np.where(there, (flat * inside).sum(1), np.nan), flat.sum(1)),
        np.where(there, near[np.arange(len(flat)), flat.argmax(1)], np.nan),
        np.where(inside.any(1), near.mean(1), np.nan),
    )


def tolerance(step: Sequence[int]) -> list[int]:
    """Half the step of maps along each axis, in voxels: no finer can they tell where their maximum lies."""
    return [(voxels + 1) // 2 for voxels in step]


def point(
    method: Method,
    models: Sequence[Model],
    domain: Domain,
    rows: np.ndarray,
    regions: np.ndarray,
    both_sides: bool = False,
) -> tuple[Pointing, list[int]]:
    """The mean of what models score on some rows of a domain, whose regions are (N, *patch), and the tolerance.

    With `both_sides` what speaks against the disease is scored as well: a model that learnt nothing has no side.
    """
    parts = []
    for start in range(
        0, len(rows), BATCH
    ):  # no map outlives its batch, as they are larger than the images
        part = slice(start, start + BATCH)
        images, known = domain.images[rows[part]], domain.clinical(rows[part])
        maps = [method(model, images, known) for model in models]
        maps += [one.turned for one in maps] if both_sides else []
        parts.append(mean_of([score(one, regions[part]) for one in maps]))
    names = ("share", "hit", "by_chance")
    joined = Pointing(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    return joined, tolerance(maps[0].step)


def mean_of(found: Sequence[Pointing]) -> Pointing:
    """The mean over models on the same lesions, of those that have a map; NaN where none has."""
    stacks = [
        np.stack(values) for values in zip(*((one.share, one.hit, one.by_chance) for one in found))
    ]
    return Pointing(*(ratio(np.nansum(stack, 0), (~np.isnan(stack)).sum(0)) for stack in stacks))


def describe(
    found: Pointing,
    random: Pointing,
    patients: pd.Series,
    resamples: int,
    confidence: float,
    generator: np.random.Generator,
) -> dict:
    """Mean share and hits with intervals, those of models with weights drawn anew, and whether these keep up.

    All are of the lesions of which the model has a map. `difference` is the share less that of the randomised models,
    paired. `keeps` is True where its interval does not lie above 0: then the maps do not show what was learnt. It is
    None where there is no interval.
    """
    codes, names = pd.factorize(patients)
    draws = draw_patients(len(names), resamples, generator)

    def mean(values: np.ndarray) -> tuple[float, np.ndarray]:
        defined = ~np.isnan(values)

        def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
            return {
                "mean": ratio(weights[:, defined] @ values[defined], weights[:, defined].sum(1))
            }

        return float(measure(np.ones((1, len(values))))["mean"][0]), resample(
            measure, draws, codes
        )["mean"]

    def estimate(values: np.ndarray) -> dict[str, float]:
        value, resampled = mean(values)
        return dict(
            zip(("value", "low", "high", "left_out"), (value, *interval(resampled, confidence)))
        )

    there = ~np.isnan(found.share)
    random_share, random_hit = (
        np.where(there, values, np.nan) for values in (random.share, random.hit)
    )
    difference = found.share - random_share
    of_difference = estimate(difference)
    left_out, p = of_difference.pop("left_out"), p_value(mean(difference)[1])
    return {
        "lesions": int(there.sum()),
        "share": estimate(found.share),
        "pointing_game": estimate(found.hit),
        "by_chance": mean(found.by_chance)[0],
        "randomised": {"share": estimate(random_share), "pointing_game": estimate(random_hit)},
        "difference": {**of_difference, "p": p, "left_out": left_out},
        "keeps": None if np.isnan(of_difference["low"]) else bool(of_difference["low"] <= 0),
    }
