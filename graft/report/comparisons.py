"""The sentences on further comparisons: other arms, sites, folds, numbers of labels and sources."""

from collections.abc import Iterator, Mapping

from graft.charts.numbers import difference, number, plural, signed
from graft.evidence.evidence import Block, Evidence
from graft.report.labels import labelled
from graft.statistics.sentences import candidate_name
from graft.statistics.verdict import verdict

ARMS = {
    "frozen": "a linear classifier on the unchanged features of the source",
    "source": "the network of the source, unchanged and without any label of the target",
    "l2-sp": "fine-tuning that is pulled towards the source",
    "lp-ft": "a linear probe first, and fine-tuning from there",
    "wise-ft": "a mean of the weights before and after fine-tuning",
    "delta": "fine-tuning whose feature maps are pulled towards those of the source",
}
VERDICTS = {
    "helps": "transfer helps",
    "harms": "transfer harms",
    "no difference shown": "no difference is shown",
    "not defined": "the gain is not defined",
}
ARM_VERDICTS = VERDICTS | {"helps": "it helps", "harms": "it harms"}


def other_arms(evidence: Evidence) -> Iterator[str]:
    """Yield the verdict on each arm with all labels, beside scratch and that of `transfer`."""
    curve = evidence.block("learning_curve")
    points = [point for point in curve["points"] if point["share"] == 1] if curve else []
    for point in points:
        for arm, gain in point["gain"].items():
            if arm != curve["strategy"]:
                known = f" ({ARMS[arm]})" if arm in ARMS else ""
                yield f"{arm}{known}: {_verdict_with_gain(gain['verdict'], gain, ARM_VERDICTS)}"


def other_comparisons(evidence: Evidence) -> Iterator[tuple[bool, str]]:
    """Yield each further comparison: whether it agrees with the verdict, and a sentence."""
    main = evidence.metrics["verdict"]
    repeated = evidence.metrics["verdict_from"]["trainings"] > 1
    gains = evidence.metrics["transfer_gain"]["transfer"]
    comparisons = []
    if repeated:
        place = "For the one pair of networks that this run saved, on the test part,"
        comparisons.append((place, verdict(gains["test"]), gains["test"]))
    if "external" in evidence.parts:
        place = "At the site that was held out,"
        comparisons.append((place, verdict(gains["external"]), gains["external"]))
    folds = evidence.block("cross_validation")
    if folds:
        repeats = plural(folds["repeats"], "time")
        place = f"In cross-validation with {folds['folds']} folds, repeated {repeats},"
        comparisons.append((place, folds["verdict"], folds["gain"]))
    curve = evidence.block("learning_curve")
    for point in curve["points"] if curve else []:
        if repeated and point["share"] == 1:
            continue  # the verdict itself comes from this point
        gain = point["gain"][curve["strategy"]]
        place = f"With {labelled(point)} labelled in the learning curve,"
        comparisons.append((place, gain["verdict"], gain))
    for place, found, gain in comparisons:
        yield found == main, f"{place} {_verdict_with_gain(found, gain)}"


def agreement(comparisons: list[tuple[bool, str]]) -> str:
    """How many of the further comparisons agree with the verdict."""
    if len(comparisons) == 1:
        return "One further comparison:"
    count = sum(agrees for agrees, _ in comparisons)
    verb = "agrees" if count == 1 else "agree"
    return f"Of {len(comparisons)} further comparisons, {count or 'none'} {verb} with the verdict:"


def labels_saved(curve: Block, unit: str) -> str:
    """How many labels transfer saves; `unit` is "patient" or "lesion"."""
    saved = curve["labels_saved"]
    if saved["reached"] == "not defined":
        return "Whether transfer saves labels is not defined."
    if saved["reached"] == "never":
        return (
            f"With none of these numbers of {unit}s does transfer reach the AUROC that scratch "
            "reaches with all of them."
        )
    bound = "no more than " if saved["reached"] == "at the smallest share" else ""
    needed = _patients_with_interval(saved["needed"], "never")
    spared = _patients_with_interval(saved["saved"], "none")
    return (
        f"Transfer needs {bound}{needed} {unit}s to reach the AUROC that scratch reaches with "
        f"{number(round(saved['of']))}. It saves the labels of {spared} {unit}s."
    )


def selection(block: Block) -> str:
    """What choosing within the folds of a cross-validation gained and cost."""
    found = block["selection"]
    if not found:
        return ""
    often = max(block["candidates"], key=lambda row: row["chosen"])
    sentence = (
        f"Most often, in {often['chosen']} of {len(block['choices'])} folds, the inner validation "
        f"chose {candidate_name(often)}."
    )
    if found["default"]:
        sentence += (
            f" The choice over always taking the default, {candidate_name(found['default'])}: "
            f"{difference(found['over_default'])}."
        )
    if found["regret"] is not None:
        sentence += (
            f" In hindsight {candidate_name(found['best'])} has the highest AUROC in the tested "
            f"folds, {signed(found['regret'])} from that of the choice. This is what the choice "
            "missed, and what chance added to the best of several; it has no interval, because the "
            "same tests picked the candidate."
        )
    return sentence


def ranking_outcome(found: Block | None) -> str:
    """How well the ranking of the sources predicted their results."""
    if not found:
        return (
            "Whether the ranking was right is not known: fewer than two of these sources were "
            "trained on."
        )
    tau = signed(found["logme_tau"], 2)
    sentence = f"Kendall's tau between the ranking and the outcome ({found['by']}): {tau}."
    if len(found["outcomes"]) == 2:
        sentence += " With two sources, tau can only be 1 or −1, which is weak evidence."
    return sentence


def _verdict_with_gain(
    found: str, gain: Block | None, verdicts: Mapping[str, str] = VERDICTS
) -> str:
    if found == "not defined":
        return f"{verdicts[found]}."
    return f"{verdicts[found]}: {difference(gain)}."


def _patients_with_interval(found: Block, beyond: str) -> str:
    """A number of patients with its interval; `beyond` replaces an end that is off the curve."""
    texts = []
    for name in ("value", "low", "high"):
        end = found[name]
        texts.append(beyond if end is None else number(round(end)))
    value, low, high = texts
    return f"{value} [{low}, {high}]"
