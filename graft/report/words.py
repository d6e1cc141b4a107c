"""The sentences of the page on the verdict and what it means."""

from graft.charts.numbers import (
    number,
    p_value,
    percent,
    plural,
    signed,
    size,
    value_of,
)
from graft.common.vocabulary import REFERENCE
from graft.evidence.evidence import Block, Evidence, score_of
from graft.statistics.power import POWER
from graft.statistics.verdict import point_with_all_labels

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


def boosting(evidence: Evidence) -> str:
    """Whether boosting failed; an empty text if it did not."""
    if any(evidence.metrics["boosting_alphas"]):
        return ""
    return (
        "No member of boosting classifies the training lesions better than chance: every α is 0. "
        "The ensemble is therefore the plain mean of its members."
    )


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
