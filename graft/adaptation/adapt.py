"""Adapt a model to a site: estimate, choose, score, and write what is worth it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graft.adaptation.crossfit import Adapted, Choice, CrossFit, standard_error
from graft.adaptation.fits import INTENSITY, NONE, PRIOR, Fitter
from graft.adaptation.prior import Prior
from graft.adaptation.scoring import SIZES, score_curve
from graft.adaptation.site import Site
from graft.adaptation.unlabelled import CONFIDENCE, site_prior
from graft.common.documents import check_schema, clean
from graft.prediction.predictor import Predictor

SCHEMA = Path(__file__).with_name("adapt.schema.json")
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Result:
    """An adaptation.

    Attributes:
        document: the content of adapt.json.
        adapted: what the new model would be: the chosen method, fitted to the whole site.
    """

    document: dict
    adapted: Adapted


def adapt(
    predictor: Predictor,
    site: Site,
    seed: int,
    anyway: bool = False,
    sizes: Sequence[int] = SIZES,
) -> Result:
    """Choose and fit a method for a site, and score it.

    Args:
        predictor: the model.
        site: its lesions.
        seed: of the random draws.
        anyway: whether the best other method is fitted if none is chosen.
        sizes: the numbers of labels to score adaptation with, before all of them.

    Raises:
        InputError: if nothing was fitted with the model.
    """
    cross = CrossFit.of(Fitter.of(predictor, site), seed)
    everything = cross.outside()
    choice = cross.choose(site.labelled, everything)
    prior = site_prior(cross.fitter, site.labelled, everything, seed)
    curve = score_curve(cross, CONFIDENCE, sizes) if cross.can_choose else []
    recommended = is_recommended(choice.method, curve)
    method = choice.method
    if method == NONE and anyway:
        method = _best_other(choice)
    adapted = cross.adapt(site.labelled, everything, method)
    document = clean(
        {
            "schema_version": SCHEMA_VERSION,
            "parent": predictor.sha256,
            "classes": predictor.classes,
            "site": _describe_site(site, predictor.classes),
            "confidence": CONFIDENCE,
            "prior": None if prior is None else asdict(prior),
            "methods": _describe_methods(choice, site),
            "curve": curve,
            "chosen": choice.method,
            "fitted": _describe_fit(adapted, predictor),
            "recommended": recommended,
            "sentence": conclude(choice, curve, prior, site, recommended),
        }
    )
    check_schema(document, SCHEMA)
    return Result(document, adapted)


def is_recommended(method: str, curve: list[dict]) -> bool:
    """Whether the new model is written: a gain was measured, and its interval is above 0."""
    return method != NONE and bool(curve) and curve[-1]["gain"]["low"] > 0


def conclude(
    choice: Choice, curve: list[dict], prior: Prior | None, site: Site, recommended: bool
) -> str:
    """The conclusion in a few sentences."""
    if not curve:
        return _conclude_without_labels(choice.method, prior, site)
    method, images = choice.method, next(iter(choice.losses))
    found = curve[-1]["gain"]
    gained = f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
    if recommended:
        return f"Adapt by {method}: the log loss falls by {gained}."
    sentence = f"Do not adapt: the log loss falls by {gained}, not distinguishable from 0."
    if method == NONE:
        sentence = "Do not adapt: no method lowers the log loss by more than a standard error."
    if images != NONE:
        sentence += f" The images alone would have chosen {images}: more labels can show its gain."
    return sentence


def _conclude_without_labels(method: str, prior: Prior | None, site: Site) -> str:
    labels, some = ("so few labels", "more") if len(site.labelled) else ("no labels", "some")
    unmeasured = f"with {labels} no benefit is measured"
    sentence = f"Do not adapt: the intensities are like those of the training, and {unmeasured}."
    if method == INTENSITY:
        sentence = (
            "Do not adapt yet: the intensities differ from those of the training, but "
            f"{unmeasured}. Label {some} scans, or use --anyway."
        )
    if prior is not None:
        is_new = "differs" if prior.distinguishable else "cannot be told"
        sentence += (
            f" The share of the disease is cautiously estimated as {prior.new:.0%} "
            f"({prior.low:.0%} to {prior.high:.0%}), which {is_new} from that of the model, "
            f"{prior.old:.0%}."
        )
        if prior.distinguishable:
            sentence += (
                " It is not used, because lesions that look different would give such an estimate"
                " too: label some."
            )
    return sentence


def _best_other(choice: Choice) -> str:
    """The method with the lowest log loss but `none`; without enough labels, the prior."""
    others = {name: losses.mean() for name, losses in choice.losses.items() if name != NONE}
    return min(others, key=lambda name: others[name]) if others else PRIOR


def _describe_site(site: Site, classes: list[str]) -> dict[str, Any]:
    labels = site.labels[site.labelled]
    return {
        "lesions": len(site),
        "patients": len(np.unique(site.patients)),
        "labelled": len(labels),
        "labelled_patients": len(np.unique(site.patients[site.labelled])),
        "by_class": {name: int((labels == code).sum()) for code, name in enumerate(classes)},
        "refused": site.refused,
        "failures": site.failures,
    }


def _describe_methods(choice: Choice, site: Site) -> list[dict]:
    """How each method did out of fold, and how much better than `none`."""
    found = []
    patients = site.patients[site.labelled]
    for name, losses in choice.losses.items():
        gained = choice.losses[NONE] - losses
        found.append(
            {
                "name": name,
                "log_loss": losses.mean(),
                "gain": gained.mean(),
                "standard_error": standard_error(gained, patients),
            }
        )
    return found


def _describe_fit(adapted: Adapted, predictor: Predictor) -> Mapping[str, Any]:
    fit = adapted.fit
    return {
        "method": adapted.method,
        "temperature": fit.temperature,
        "bias": dict(zip(predictor.classes, fit.bias, strict=True)),
        "intensity": None if fit.intensity is None else asdict(fit.intensity),
        "heads": len(fit.heads or ()),
        "points": adapted.points,
        "quantiles": adapted.quantiles,
    }
