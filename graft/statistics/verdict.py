"""The answer to "does transfer help?", one of four, from the interval of a gain."""

from collections.abc import Mapping

from graft.common.documents import DECIMALS
from graft.statistics.power import detectable_gain

Gain = Mapping[str, float | None]

FIGURES = ("value", "low", "high", "p", "left_out")


def verdict(gain: Gain | None) -> str:
    """Return "helps", "harms", "no difference shown" or "not defined"."""
    if gain is None:
        return "not defined"
    low, high = gain["low"], gain["high"]
    if low is None or high is None:
        return "not defined"
    if low > 0:
        return "helps"
    if high < 0:
        return "harms"
    return "no difference shown"


def point_with_all_labels(learning_curve: Mapping | None) -> Mapping | None:
    """Return the learning curve's point with all labels if it was trained several times."""
    if not learning_curve or learning_curve["draws"] < 2:
        return None
    for point in learning_curve["points"]:
        if point["share"] == 1:
            return point
    return None


def number_of_labels(point: Mapping) -> float:
    """Return the mean number of labelled patients at a point of the learning curve.

    It is that of labelled lesions if the patients are unknown.
    """
    return point["lesions"] if point["patients"] is None else point["patients"]


def decide(one: Gain, learning_curve: Mapping | None, margin: float, confidence: float) -> dict:
    """Decide the verdict of a run from the gain of transfer on the test part.

    One pair of networks may owe its gain to luck in training, which no interval over patients
    includes. If the learning curve trained both several times on all labels, the verdict follows
    from these trainings: of its arm that is trained as `transfer` is.

    Args:
        one: the gain of the fine-tuned network over the one from scratch.
        learning_curve: that block of metrics.json.
        margin: by which transfer may fall short without being worse.
        confidence: of the intervals.

    Returns:
        `verdict` and `verdict_from`. The latter has the number of `trainings`, the figures of the
        gain, `non_inferior`: whether the gain's low end is above -margin, and `detectable`: the
        smallest gain that these cases and trainings would have shown with the probability POWER.
    """
    gain = one
    trainings = 1
    repeated = point_with_all_labels(learning_curve)
    if learning_curve and repeated:
        gain = repeated["gain"][learning_curve["strategy"]]
        trainings = learning_curve["draws"]
    figures = {name: gain[name] for name in FIGURES}
    low, high = gain["low"], gain["high"]
    non_inferior = None if low is None else low > -margin
    detectable = None
    if low is not None and high is not None:
        detectable = round(detectable_gain(low, high, confidence), DECIMALS)
    return {
        "verdict": verdict(gain),
        "verdict_from": {
            "trainings": trainings,
            **figures,
            "non_inferior": non_inferior,
            "detectable": detectable,
        },
    }
