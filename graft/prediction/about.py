"""What a model is, as lines to print."""

from collections.abc import Iterator, Mapping
from typing import Any

from graft.common.files import DIGITS
from graft.common.shown import counted
from graft.networks.card import describe_guarantee
from graft.prediction.predictor import Predictor
from graft.release.fitted import README

LABEL_WIDTH = 14


def describe(predictor: Predictor) -> Iterator[str]:
    """Yield lines about a model: what it predicts, from what, and how it answers."""
    for label, fact in {"model": str(predictor.folder), **facts_of(predictor)}.items():
        yield f"{label:<{LABEL_WIDTH}}{fact}"


def facts_of(predictor: Predictor) -> dict[str, str]:
    """Facts about a model, by what they are. None depends on where its folder is."""
    card, fitted = predictor.model.card, predictor.fitted
    facts = {"sha256": predictor.sha256}
    if fitted is not None:
        facts["trained as"] = f"{fitted.name}, from {fitted.source} to {fitted.target}"
        facts["licence"] = fitted.licence
    facts["classes"] = ", ".join(predictor.classes)
    networks = counted(len(predictor.model.networks), "network")
    facts["networks"] = f"{networks}: {card['architecture']['name']}"
    facts["input"] = _describe_input(predictor)
    if predictor.form.kinds:
        kinds = [f"{name} ({kind})" for name, kind in predictor.form.kinds.items()]
        facts["covariates"] = ", ".join(kinds)
    if "privacy" in card:
        facts["private"] = "; ".join(map(describe_guarantee, card["privacy"]))
    if fitted is None:
        facts["fitted"] = "nothing: no calibration, no operating points, no check of the inputs"
    else:
        facts |= _describe_fitted(predictor)
    return facts


def _describe_input(predictor: Predictor) -> str:
    grid = predictor.form.grid
    patch = " × ".join(map(str, grid.patch))
    spacing = " × ".join(f"{side:g}" for side in grid.spacing)
    made = f"{patch} voxels of {spacing} mm" if predictor.form.spaced else f"{patch}, no spacing"
    channels = counted(predictor.form.channels, "channel")
    low, high = grid.window
    return f"{made}, {channels}, {grid.intensity} {low:g} to {high:g}"


def _describe_adaptation(about: Mapping[str, Any]) -> str:
    lesions = counted(about["lesions"], "lesion")
    known = f"{lesions} of {counted(about['patients'], 'patient')}, {about['labelled']} labelled"
    return f"to a site by {about['method']}, on {known}; parent {about['parent'][:DIGITS]}"


def _describe_fitted(predictor: Predictor) -> dict[str, str]:
    fitted = predictor.fitted
    assert fitted is not None
    found = {"temperature": f"{fitted.temperature:g}"}
    if fitted.adaptation:
        found["adapted"] = _describe_adaptation(fitted.adaptation)
    if fitted.bias:
        found["bias"] = ", ".join(f"{name} {value:+g}" for name, value in fitted.bias.items())
    if fitted.intensity:
        scale, shift = fitted.intensity.scale, fitted.intensity.shift
        found["intensities"] = f"of the site, multiplied by {scale:g}, then {shift:+g}"
    disease = predictor.classes[-1]
    for point, threshold in fitted.points.items():
        rate = fitted.wanted.get(point)
        wanted = "" if rate is None else f", chosen for a {point} of {rate:g} on validation cases"
        at = "none" if threshold is None else f"{disease} from p = {threshold:g}{wanted}"
        found[point] = at
    wanted = f"{1 - fitted.miscoverage:.0%}"
    found["sets"] = f"should hold the true class of {wanted} of each class, measured: {README}"
    if fitted.adaptation:
        found["sets"] += ", if there were enough labels; not guaranteed after the adaptation"
    effect = fitted.patient_effect
    if effect is not None:
        used = f"τ = {effect['applied_sd']:g}, which --known uses"
        found["patients"] = used if effect["distinguishable"] else "no effect of theirs was shown"
    unfitted = [name for name, quantile in fitted.quantiles.items() if quantile is None]
    if unfitted:
        found["sets"] += f"; {', '.join(unfitted)} is in each set, because it has too few cases"
    return found
