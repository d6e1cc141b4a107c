"""How well saliency maps point at lesions, with intervals over patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.data.domain import Domain
from graft.explain.saliency import SaliencyMaps, SaliencyMethod
from graft.networks.saved import BATCH, Model
from graft.statistics.bootstrap import draw_patients, interval, p_value, resample
from graft.statistics.scores import ratio


@dataclass(frozen=True)
class PointingScores:
    """Scores of N lesions. They are NaN if the map is 0 everywhere or the lesion has no region.

    Attributes:
        share: (N,), the share of the saliency that lies within the region.
        hit: (N,), 1 if the maximum lies within the region or close to it, else 0.
        by_chance: (N,), the share of the patch's voxels at which a maximum would be a hit.
    """

    share: np.ndarray
    hit: np.ndarray
    by_chance: np.ndarray


def score_maps(maps: SaliencyMaps, regions: np.ndarray) -> PointingScores:
    """Score the maps of N lesions by their regions (N, *patch) bool.

    A maximum is a hit if it lies no further than `hit_tolerance` from the region along each axis.
    Of several equal maxima the first counts. The pointing game is that of Zhang et al., "Top-down
    Neural Attention by Excitation Backprop", IJCV 2018.
    """
    from scipy.ndimage import maximum_filter  # late: it takes a tenth of a second

    count = len(regions)
    window = [2 * voxels + 1 for voxels in hit_tolerance(maps.step)]
    widened = [maximum_filter(region, window, mode="constant") for region in regions]
    hits = np.stack(widened).reshape(count, -1)  # (N, voxels)
    saliency = maps.values.reshape(count, -1)
    saliency = saliency.astype(np.float64)
    inside = regions.reshape(count, -1)
    has_region = inside.any(1)
    has_map = saliency.max(1) > 0
    is_defined = has_map & has_region
    within = (saliency * inside).sum(1)
    within = np.where(is_defined, within, np.nan)
    maximum = saliency.argmax(1)
    hit = hits[np.arange(count), maximum]
    return PointingScores(
        share=ratio(within, saliency.sum(1)),
        hit=np.where(is_defined, hit, np.nan),
        by_chance=np.where(has_region, hits.mean(1), np.nan),
    )


def hit_tolerance(step: Sequence[int]) -> list[int]:
    """Half the step of maps along each axis, in voxels, which is their resolution."""
    return [(voxels + 1) // 2 for voxels in step]


def score_models(
    method: SaliencyMethod,
    models: Sequence[Model],
    domain: Domain,
    rows: np.ndarray,
    regions: np.ndarray,
    both_sides: bool = False,
) -> tuple[PointingScores, list[int]]:
    """Score the maps of some models, and average the scores over the models.

    Args:
        method: makes the maps.
        models: the models.
        domain: the domain of the lesions.
        rows: N rows of its index, at least one.
        regions: (N, *patch) bool.
        both_sides: whether to average with the scores of the evidence against the disease. The
            sign of an untrained model's answer is arbitrary.

    Returns:
        The scores of the lesions, and the tolerance in voxels along each axis.
    """
    parts = []
    for start in range(0, len(rows), BATCH):  # maps are larger than images, so none is kept
        part = slice(start, start + BATCH)
        images = domain.images[rows[part]]
        covariates = domain.clinical(rows[part])
        scores = []
        for model in models:
            maps = method.make_maps(model, images, covariates)
            scores.append(score_maps(maps, regions[part]))
            if both_sides:
                scores.append(score_maps(maps.inverted, regions[part]))
        parts.append(mean_scores(scores))
    joined = PointingScores(
        share=np.concatenate([part.share for part in parts]),
        hit=np.concatenate([part.hit for part in parts]),
        by_chance=np.concatenate([part.by_chance for part in parts]),
    )
    return joined, hit_tolerance(maps.step)


def mean_scores(scores: Sequence[PointingScores]) -> PointingScores:
    """Average several scores of the same lesions, without those that are NaN."""
    return PointingScores(
        share=_mean_without_nan([each.share for each in scores]),
        hit=_mean_without_nan([each.hit for each in scores]),
        by_chance=_mean_without_nan([each.by_chance for each in scores]),
    )


def summarise_scores(
    scores: PointingScores,
    randomised: PointingScores,
    patients: pd.Series,
    resamples: int,
    confidence: float,
    generator: np.random.Generator,
) -> dict:
    """Compute the mean share and hits, with intervals, and those of models with fresh weights.

    All numbers are about the lesions that have a map of the model. `difference` is the share less
    that of the randomised models, paired. `keeps` is True if its interval is not above 0. Then it
    is not shown that the maps depend on training. `keeps` is None if there is no interval.

    Args:
        scores: of the model on N lesions.
        randomised: of the models with fresh weights on the same lesions.
        patients: (N,), the patient of each lesion.
        resamples: the number of bootstrap resamples of the patients.
        confidence: of the intervals.
        generator: draws the resamples.

    Returns:
        The scores of a method as in saliency.json.
    """
    patient_codes, names = pd.factorize(patients)
    draws = draw_patients(len(names), resamples, generator)

    def mean_and_resamples(values: np.ndarray) -> tuple[float, np.ndarray]:
        defined = ~np.isnan(values)

        def weighted_mean(weights: np.ndarray) -> dict[str, np.ndarray]:
            weights = weights[:, defined]
            total = weights @ values[defined]
            return {"mean": ratio(total, weights.sum(1))}

        equal_weights = np.ones((1, len(values)))
        mean = float(weighted_mean(equal_weights)["mean"][0])
        resampled = resample(weighted_mean, draws, patient_codes)
        return mean, resampled["mean"]

    def estimate(values: np.ndarray) -> dict[str, float]:
        mean, resampled = mean_and_resamples(values)
        low, high, left_out = interval(resampled, confidence)
        return {"value": mean, "low": low, "high": high, "left_out": left_out}

    has_map = ~np.isnan(scores.share)
    random_share = np.where(has_map, randomised.share, np.nan)
    random_hit = np.where(has_map, randomised.hit, np.nan)
    difference = scores.share - random_share
    of_difference = estimate(difference)
    _, differences = mean_and_resamples(difference)
    has_interval = not np.isnan(of_difference["low"])
    return {
        "lesions": int(has_map.sum()),
        "share": estimate(scores.share),
        "pointing_game": estimate(scores.hit),
        "by_chance": mean_and_resamples(scores.by_chance)[0],
        "randomised": {"share": estimate(random_share), "pointing_game": estimate(random_hit)},
        "difference": {
            "value": of_difference["value"],
            "low": of_difference["low"],
            "high": of_difference["high"],
            "p": p_value(differences),
            "left_out": of_difference["left_out"],
        },
        "keeps": bool(of_difference["low"] <= 0) if has_interval else None,
    }


def _mean_without_nan(values: list[np.ndarray]) -> np.ndarray:
    stacked = np.stack(values)  # (scores, N)
    defined = (~np.isnan(stacked)).sum(0)
    return ratio(np.nansum(stacked, 0), defined)
