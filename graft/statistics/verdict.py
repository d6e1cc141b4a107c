"""Does transfer help? An answer out of a fixed set of words, as an interval of the gain gives it."""

from collections.abc import Mapping

Gain = Mapping[str, float | None]


def verdict(gain: Gain | None) -> str:
    """What an interval of a gain says: helps, harms, no difference shown, or not defined."""
    if gain is None or gain["low"] is None:
        return "not defined"
    if gain["low"] > 0:
        return "helps"
    return "harms" if gain["high"] < 0 else "no difference shown"


def all_labels(learning_curve: Mapping | None) -> Mapping | None:
    """The point of that block of metrics.json with all labels, where these were learnt from several times."""
    points = learning_curve["points"] if learning_curve and learning_curve["draws"] > 1 else []
    return next((point for point in points if point["share"] == 1), None)


def decide(one: Gain, learning_curve: Mapping | None, margin: float) -> dict:
    """The verdict of a run: `verdict`, and the gain of transfer on the test part that it follows from.

    One pair of networks may owe its gain to luck in training, which no interval over patients sees. So where the
    learning curve trained both several times on all labels, the verdict follows from these trainings.

    Args:
        one: the gain of the network that finetune left over the one from scratch.
        learning_curve: that block of metrics.json.
        margin: by which transfer may fall short and still be no worse.

    Returns `verdict` and `verdict_from`, with `trainings`; value, low, high, p and left_out of the gain; and
    `non_inferior`, whether its low end is above -margin.
    """
    repeated = all_labels(learning_curve)
    gain = repeated["gain"]["transfer"] if repeated else one
    told = {name: gain[name] for name in ("value", "low", "high", "p", "left_out")}
    told |= {"non_inferior": None if gain["low"] is None else gain["low"] > -margin}
    return {
        "verdict": verdict(gain),
        "verdict_from": {"trainings": learning_curve["draws"] if repeated else 1, **told},
    }
