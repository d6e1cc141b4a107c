"""attacks.json: the attacks on all models of a run, and what they mean in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graft.common.documents import check_schema, clean
from graft.common.shown import counted
from graft.membership.attack import FALSE_POSITIVES
from graft.statistics.formatting import format_estimate

SCHEMA = Path(__file__).with_name("attacks.schema.json")

Attack = Mapping[str, Any]  # from `attack_model`, with the keys model, domain, unit and weights


def attacks_document(
    attacks: Sequence[Attack], left_out: Mapping[str, str], confidence: float
) -> dict[str, Any]:
    """Make attacks.json.

    Args:
        attacks: one for each attacked model.
        left_out: why other models were not attacked, by name.
        confidence: of the intervals.

    Returns:
        Plain JSON values that conform to the schema.
    """
    entries = [{**attack, "sentence": describe(attack)} for attack in attacks]
    document = clean(
        {
            "confidence": confidence,
            "false_positive_rate": FALSE_POSITIVES,
            "models": entries,
            "left_out": [{"model": name, "reason": left_out[name]} for name in left_out],
            "warnings": warnings(attacks),
        }
    )
    for entry, attack in zip(document["models"], attacks, strict=True):
        if attack["bound"]:
            entry["bound"]["delta"] = attack["bound"]["delta"]  # too small to be rounded
    check_schema(document, SCHEMA)
    return document


def describe(attack: Attack) -> str:
    """Say in words what an attack found, and whether a guarantee holds."""
    unit = attack["unit"]
    verdict = "succeeds" if attack["succeeds"] else "does no better than guessing"
    members = counted(attack["members"], f"training {unit}")
    others = counted(attack["non_members"], f"other {unit}")
    alarms = counted(attack["false_positives"], "false alarm")
    sentence = (
        f"{attack['model']}: the attack {verdict}. It tells {members} of {attack['domain']} from "
        f"{others} with an AUC of {format_estimate(attack['auc'])}, and with {alarms} it finds "
        f"{percent(attack['tpr'])} of those who were trained on."
    )
    return f"{sentence} {describe_bound(attack)}".rstrip()


def describe_bound(attack: Attack) -> str:
    """Say in words whether an attack stays below the bound of the guarantee; empty without one."""
    bound = attack["bound"]
    if bound is None:
        return ""
    verdict = "the attack stays below both"
    if bound["broken"]:
        verdict = "the attack exceeds that even at its lower limit, so the guarantee is broken"
    elif not bound["below"]:
        verdict = "the attack exceeds one of them, but not beyond chance"
    return (
        f"The guarantee (ε = {bound['epsilon']:.3g}, δ = {bound['delta']:.1g}) allows an AUC of "
        f"{bound['auc']:.3f} and {bound['tpr'] * 100:.1f} % at {FALSE_POSITIVES * 100:g} % false "
        f"positives: {verdict}."
    )


def warnings(attacks: Sequence[Attack]) -> list[str]:
    """What readers of a report have to know at its top: nothing if no attack succeeds."""
    lines = []
    for attack in attacks:
        bound = attack["bound"]
        if bound and bound["broken"]:
            lines.append(
                f"The privacy guarantee of {attack['model']} is broken: the attack reaches an AUC "
                f"of {format_estimate(attack['auc'])} and finds {percent(attack['tpr'])} of the "
                f"training {attack['unit']}s, more than ε = {bound['epsilon']:.3g} allows."
            )
    succeeding = [attack for attack in attacks if attack["succeeds"]]
    if succeeding:
        worst = max(succeeding, key=lambda attack: attack["auc"]["value"])
        names = ", ".join(attack["model"] for attack in succeeding)
        lines.append(
            f"Whoever has one of these models can infer better than by guessing whether a "
            f"{worst['unit']} was in its training data: {names} (AUC up to "
            f"{format_estimate(worst['auc'])})."
        )
    return lines


def percent(rate: Mapping[str, float]) -> str:
    """Format a rate with its interval, such as "21 % [6 %, 46 %]"."""
    value, low, high = (f"{rate[key] * 100:.0f} %" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
