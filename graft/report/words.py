"""What the report says in sentences: the verdict, what it means, and what else speaks to it."""

from collections.abc import Iterator, Mapping

from graft.common.vocabulary import REFERENCE
from graft.report.evidence import Evidence
from graft.report.numbers import difference, number, p_value, plural, signed, value_of
from graft.statistics.verdict import verdict as says

HEADLINES = {
    "helps": "Transfer helps.",
    "harms": "Transfer harms.",
    "no difference shown": "No difference shown.",
    "not defined": "Not defined.",
}
RUN = {
    "cross_validation": "dvc exp run -S evaluate.folds=5",
    "learning_curve": "dvc exp run -S 'learning_curve.shares=[0.05,0.1,0.2,0.5]'",
}


def verdict(evidence: Evidence) -> str:
    """One sentence with the interval, after the headline."""
    said, gain = evidence.metrics["verdict"], evidence.metrics["verdict_from"]
    if said == "not defined":
        return "A class is missing from the test part, so there is no AUROC to compare."
    low, high = signed(gain["low"]), signed(gain["high"])
    mean = (
        f", as a mean of {gain['trainings']} trainings of each," if gain["trainings"] > 1 else ","
    )
    if said == "no difference shown":
        return (
            f"On the test part{mean} transfer and learning from scratch differ by {signed(gain['value'])} in AUROC, "
            f"somewhere from {low} to {high} ({evidence.level} interval), which holds 0."
        )
    side = "above" if said == "helps" else "below"
    return (
        f"On the test part{mean} the AUROC of transfer is {number(abs(gain['value']))} {side} that of learning from "
        f"scratch: {signed(gain['value'])}, from {low} to {high} ({evidence.level} interval), p = {p_value(gain['p'])}."
    )


def meaning(evidence: Evidence) -> str:
    """The same for who does not live among AUROCs."""
    ours, theirs = (value_of(_auroc(evidence, name)) for name in ("transfer", REFERENCE))
    if ours is None or theirs is None:
        return "Without lesions of every class in the test part, nothing can be said about telling them apart."
    first, *others = reversed(evidence.classes)
    pairs = (
        f"a {first} and a {others[0]} lesion"
        if len(others) == 1
        else "a lesion of one class and one of another"
    )
    return (
        f"In plain words: of 100 pairs of {pairs}, the transferred model ranks {ours * 100:.0f} the right way round, "
        f"and the one learnt from scratch {theirs * 100:.0f}. Tossing a coin gets 50. {_weight(evidence)}"
    )


def _auroc(evidence: Evidence, name: str) -> Mapping | None:
    """That of the trainings that the verdict follows from."""
    if evidence.metrics["verdict_from"]["trainings"] > 1:
        return _all_labels(evidence)["arms"][name]["auroc"]
    return (evidence.metrics["models"][name]["test"] or {}).get("auroc")


def _all_labels(evidence: Evidence) -> Mapping:
    return next(
        point for point in evidence.block("learning_curve")["points"] if point["share"] == 1
    )


def _weight(evidence: Evidence) -> str:
    """How much the verdict can bear."""
    said, gain = evidence.metrics["verdict"], evidence.metrics["verdict_from"]
    if said == "no difference shown":
        return (
            "That is not to say that there is no difference: with these patients it may be anything between "
            f"{signed(gain['low'])} and {signed(gain['high'])}."
        )
    if said == "not defined":
        return "No interval can be given for the difference."
    if gain["trainings"] > 1:
        return "Luck in training and in which patients were tested hardly explain a difference this far from 0."
    return (
        "Luck in which patients were tested hardly explains a difference this far from 0; luck in training is not in "
        "the interval."
    )


def agreement(voices: list[tuple[bool, str]]) -> str:
    """How many of the other views on the question agree."""
    agree = sum(agrees for agrees, _ in voices)
    if len(voices) == 1:
        return "One more view on the same question:"
    return f"Of {len(voices)} more views on the same question, {agree or 'none'} {'agrees' if agree == 1 else 'agree'}:"


def margin(evidence: Evidence) -> str:
    """Non-inferiority, and the patients that it would take where the interval is too wide to tell."""
    gain, allowed = evidence.metrics["verdict_from"], number(evidence.block("margin"), 2)
    sentence = {
        True: f"Transfer is not inferior: it falls short of scratch by less than the margin of {allowed} in AUROC.",
        False: f"Non-inferiority is not shown: transfer may fall short of scratch by more than {allowed}.",
    }.get(gain.get("non_inferior"), "Whether transfer is at least not inferior is not defined.")
    if evidence.metrics["verdict"] == "no difference shown" and (
        needed := _gain(evidence, "test")["patients_needed"]
    ):
        have = evidence.metrics["target"]["counts"]["test"]["patients"]
        sentence += (
            f" The {plural(have, 'test patient')} are too few to tell: a gain of the size that this run's two networks "
            f"show would take about {number(needed)}."
        )
    return sentence


def other_voices(evidence: Evidence) -> Iterator[tuple[bool, str]]:
    """What else there is on the same question: whether it agrees with the verdict, and a sentence."""
    main, repeated = evidence.metrics["verdict"], evidence.metrics["verdict_from"]["trainings"] > 1
    places = (
        {"test": "On the test part, of the two networks that this run left,"} if repeated else {}
    )
    places |= {"external": "At the site never seen,"} if "external" in evidence.parts else {}
    for part, place in places.items():
        gain = _gain(evidence, part)
        yield says(gain) == main, f"{place} {_told(says(gain), gain)}"
    if found := evidence.block("cross_validation"):
        folds = f"Over {found['folds']} folds, repeated {plural(found['repeats'], 'time')}"
        yield found["verdict"] == main, f"{folds}, {_told(found['verdict'], found['gain'])}"
    if found := evidence.block("learning_curve"):
        for point in found["points"]:
            if repeated and point["share"] == 1:
                continue
            gain = point["gain"]["transfer"]
            few = f"With {number(round(point['patients']))} labelled patients in the learning curve"
            yield point["verdict"] == main, f"{few}, {_told(point['verdict'], gain)}"


def labels_saved(found: Mapping) -> str:
    """What transfer spares in labels, in a sentence."""
    saved = found["labels_saved"]
    if saved["reached"] == "not defined":
        return "Whether transfer saves labels is not defined."
    if saved["reached"] == "never":
        return "Transfer does not reach, with any of these numbers of patients, what scratch reaches with all."
    few = "no more than " if saved["reached"] == "at the smallest share" else ""
    return (
        f"Transfer reaches with {few}{_range(saved['needed'], 'never')} patients what scratch reaches with "
        f"{number(round(saved['of']))}: it saves the labels of {_range(saved['saved'], 'none')} patients."
    )


def came_true(found: Mapping | None) -> str:
    """How well the ranking of the sources foretold what they gave."""
    if not found:
        return "Whether the ranking came true is not known: fewer than two of these sources were tried."
    taus = f"LogME {signed(found['logme_tau'], 2)}, H-score {signed(found['h_score_tau'], 2)}"
    few = (
        " With two sources, tau can only be 1 or −1, which says little."
        if len(found["outcomes"]) == 2
        else ""
    )
    return f"Rank agreement with the outcome ({found['by']}), Kendall's tau: {taus}.{few}"


def _told(said: str, gain: Mapping | None) -> str:
    words = {
        "helps": "transfer helps",
        "harms": "transfer harms",
        "no difference shown": "no difference is shown",
        "not defined": "the gain is not defined",
    }[said]
    return f"{words}." if said == "not defined" else f"{words}: {difference(gain)}."


def _range(found: Mapping, beyond: str) -> str:
    """A number of patients with its interval; `beyond` stands for an end that lies off the curve."""
    ends = (found[name] for name in ("value", "low", "high"))
    value, low, high = (beyond if end is None else number(round(end)) for end in ends)
    return f"{value} [{low}, {high}]"


def _gain(evidence: Evidence, part: str) -> Mapping | None:
    return evidence.metrics["transfer_gain"]["transfer"][part]
