"""The sentences of the page: the verdict, what it means, and further comparisons."""

from collections.abc import Iterator, Mapping

from graft.charts.numbers import (
    difference,
    number,
    p_value,
    percent,
    plural,
    signed,
    size,
    value_of,
)
from graft.common.vocabulary import REFERENCE
from graft.report.evidence import Block, Evidence, score_of
from graft.report.labels import labelled
from graft.statistics.power import POWER
from graft.statistics.verdict import point_with_all_labels, verdict

HEADLINES = {
    "helps": "Transfer helps.",
    "harms": "Transfer harms.",
    "no difference shown": "No difference shown.",
    "not defined": "Not defined.",
}
UNKNOWN_PATIENTS = (
    "The data does not say whose lesions these are, so each lesion counts as a patient. If some "
    "patients have several, the intervals are too narrow, and one patient may be in two parts."
)
ARMS = {
    "frozen": "frozen features, a linear classifier on the unchanged network of the source",
    "source": "the network of the source, unchanged and without any label of the target",
    "l2-sp": "fine-tuning that is pulled towards the source",
    "lp-ft": "a linear probe first, and fine-tuning from there",
    "wise-ft": "a mean of the weights before and after fine-tuning",
    "bss": "fine-tuning with a penalty on the smallest singular values of the features",
    "delta": "fine-tuning that keeps the features of the source, weighted by their use",
}
VERDICTS = {
    "helps": "transfer helps",
    "harms": "transfer harms",
    "no difference shown": "no difference is shown",
    "not defined": "the gain is not defined",
}
ARM_VERDICTS = VERDICTS | {"helps": "it helps", "harms": "it harms"}


def verdict_sentence(evidence: Evidence) -> str:
    """The verdict in one sentence, with its interval."""
    found = evidence.metrics["verdict"]
    gain = evidence.metrics["verdict_from"]
    if found == "not defined":
        return "The test part lacks a class, so there is no AUROC to compare."
    place = "On the test part,"
    if gain["trainings"] > 1:
        place += f" averaged over {gain['trainings']} trainings of each,"
    value = signed(gain["value"])
    interval = f"{evidence.level} interval from {signed(gain['low'])} to {signed(gain['high'])}"
    if found == "no difference shown":
        return (
            f"{place} the AUROC of transfer minus that of training from scratch is {value}. "
            f"The {interval} includes 0."
        )
    side = "higher" if found == "helps" else "lower"
    return (
        f"{place} transfer has a {side} AUROC than training from scratch. The difference is "
        f"{value}, with a {interval} (p = {p_value(gain['p'])})."
    )


def meaning(evidence: Evidence) -> str:
    """The verdict for readers who are new to AUROC."""
    transfer = value_of(_verdict_auroc(evidence, "transfer"))
    scratch = value_of(_verdict_auroc(evidence, REFERENCE))
    if transfer is None or scratch is None:
        return (
            "The test part does not contain lesions of every class, so it cannot show how well a "
            "model separates them."
        )
    disease, *others = reversed(evidence.classes)
    if len(others) == 1:
        pairs = f"a {disease} and a {others[0]} lesion"
    else:
        pairs = "lesions of two different classes"
    return (
        f"In other words: of 100 pairs of {pairs}, the transferred model ranks "
        f"{transfer * 100:.0f} correctly, and the model trained from scratch {scratch * 100:.0f}. "
        f"Guessing ranks 50 correctly. {_certainty(evidence)}"
    )


def margin(evidence: Evidence) -> str:
    """Whether transfer is not inferior."""
    gain = evidence.metrics["verdict_from"]
    allowed = number(evidence.block("margin"), 2)
    if gain.get("non_inferior") is None:
        sentence = "Whether transfer is at least not inferior is not defined."
    elif gain["non_inferior"]:
        sentence = (
            "Transfer is not inferior: its AUROC falls short of that of scratch by less than the "
            f"margin of {allowed}."
        )
    else:
        sentence = (
            "Non-inferiority is not shown: the AUROC of transfer may fall short of that of "
            f"scratch by more than {allowed}."
        )
    return sentence


def power(evidence: Evidence) -> str:
    """What the test part is too small to show, and the command that helps; or an empty text.

    The part is too small if a gain above the margin would probably not be shown.
    """
    detectable = evidence.metrics["verdict_from"]["detectable"]
    if evidence.metrics["verdict"] != "no difference shown" or detectable is None:
        return ""
    if detectable <= evidence.metrics["margin"]:
        return ""
    counts = evidence.metrics["target"]["counts"]
    sentence = (
        f"The test part is too small to decide: with {size(counts['test'])} it shows a gain with a "
        f"probability of {percent(POWER)} only if the gain is {number(detectable)} or more."
    )
    needed = evidence.metrics["transfer_gain"]["transfer"]["test"]["patients_needed"]
    if needed:
        sentence += (
            " A gain as large as that between the two networks of this run needs about "
            f"{plural(needed, evidence.unit)}."
        )
    return sentence


def other_arms(evidence: Evidence) -> Iterator[str]:
    """Yield the verdict on each arm with all labels, beside scratch and that of `transfer`."""
    curve = evidence.block("learning_curve")
    points = [point for point in curve["points"] if point["share"] == 1] if curve else []
    for point in points:
        for arm, gain in point["gain"].items():
            if arm != curve["strategy"]:
                known = f" ({ARMS[arm]})" if arm in ARMS else ""
                yield f"{arm}{known}: {_verdict_with_gain(gain['verdict'], gain, ARM_VERDICTS)}"


def boosting(evidence: Evidence) -> str:
    """Whether boosting failed; an empty text if it did not."""
    if any(evidence.metrics["boosting_alphas"]):
        return ""
    return (
        "No member of boosting classifies the training lesions better than chance: every α is 0. "
        "The ensemble is therefore the plain mean of its members."
    )


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


def ranking_outcome(found: Block | None) -> str:
    """How well the ranking of the sources predicted their results."""
    if not found:
        return (
            "Whether the ranking was right is not known: fewer than two of these sources were "
            "trained on."
        )
    taus = f"LogME {signed(found['logme_tau'], 2)}, H-score {signed(found['h_score_tau'], 2)}"
    sentence = f"Kendall's tau between the ranking and the outcome ({found['by']}): {taus}."
    if len(found["outcomes"]) == 2:
        sentence += " With two sources, tau can only be 1 or −1, which is weak evidence."
    return sentence


def _verdict_auroc(evidence: Evidence, name: str) -> Block | None:
    """The AUROC of the trainings that the verdict is based on."""
    point = point_with_all_labels(evidence.block("learning_curve"))
    if point and evidence.metrics["verdict_from"]["trainings"] > 1:
        arm = evidence.block("learning_curve")["strategy"] if name == "transfer" else name
        return score_of(point["arms"][arm])
    return score_of(evidence.metrics["models"][name]["test"])


def _certainty(evidence: Evidence) -> str:
    """What the interval covers and what it leaves open."""
    found = evidence.metrics["verdict"]
    gain = evidence.metrics["verdict_from"]
    if found == "no difference shown":
        return (
            "This does not mean that there is no difference: with these "
            f"{evidence.unit}s it could be anything from {signed(gain['low'])} to "
            f"{signed(gain['high'])}."
        )
    if found == "not defined":
        return "The difference has no interval."
    if gain["trainings"] > 1:
        return (
            f"Chance in training and in the choice of the test {evidence.unit}s hardly explains a "
            "difference this far from 0."
        )
    return (
        f"Chance in the choice of the test {evidence.unit}s hardly explains a difference this far "
        "from 0. "
        "The interval does not include chance in training."
    )


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
