"""The folder of an adapted model, and the report: each is written whole or not at all."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from graft.adaptation.adapt import Result
from graft.adaptation.fits import Fit
from graft.adaptation.page import page_text
from graft.adaptation.site import Site, map_inputs, measured_of
from graft.common.files import InputError, whole_folder, write_sealed
from graft.familiarity.fit import sample_values
from graft.networks.card import CARD
from graft.networks.saved import WEIGHTS, save_model
from graft.prediction.prediction import Prediction
from graft.prediction.predictor import Predictor
from graft.release.fitted import FITTED, README, Fitted

DOCUMENT = "adapt.json"
PAGE = "adaptation.md"
OF_A_MODEL = {WEIGHTS, CARD, FITTED, README, DOCUMENT}
OF_A_REPORT = {DOCUMENT, PAGE}
FEWEST = 10  # lesions that later scans can be compared with


def check_new(folder: Path, known: set[str]) -> None:
    """Check that a folder is new, empty, or has nothing but what it would get.

    Raises:
        InputError: if there is anything else, which would be lost.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file, expected a new folder")
    found = {path.name for path in folder.iterdir()}
    if found and (DOCUMENT not in found or found - known):
        raise InputError(
            f"{folder}: has other files, expected a new folder, or one that `graft adapt` wrote, "
            "which is replaced"
        )


def write_report(folder: Path, result: Result, model: str | None) -> None:
    """Write adapt.json and adaptation.md into a new folder.

    Args:
        folder: is replaced.
        result: of the adaptation.
        model: the SHA-256 of the new model; None if there is none.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as partial:
        (partial / PAGE).write_text(page_text(result.document), encoding="utf-8", newline="\n")
        write_sealed(partial / DOCUMENT, {**result.document, "model": model}, [PAGE])


def write_model(folder: Path, predictor: Predictor, site: Site, result: Result) -> None:
    """Write the adapted model: a complete folder, which names its parent.

    Args:
        folder: is replaced.
        predictor: the model before.
        site: that it was adapted to.
        result: of the adaptation.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as partial:
        _write_weights(partial, predictor, result.adapted.fit)
        text = page_text(result.document)
        (partial / README).write_text(text, encoding="utf-8", newline="\n")
        adapted_fitted(predictor, site, result).write(partial)
        write_sealed(partial / DOCUMENT, result.document, [FITTED])


def adapted_fitted(predictor: Predictor, site: Site, result: Result) -> Fitted:
    """What fitted.json of the new model says."""
    fitted, adapted = predictor.fitted, result.adapted
    assert fitted is not None
    fit = adapted.fit
    has_bias = any(fit.bias) or fitted.bias
    intensity = fit.intensity.after(fitted.intensity) if fit.intensity else fitted.intensity
    reference = fitted.familiar.reference
    if len(site) >= FEWEST:
        values = {**_measure(predictor, site, fit), "probability": fit.calibrated[:, -1]}
        reference = {name: sample_values(values[name]) for name in reference if name in values}
    about = result.document["site"]
    return replace(
        fitted,
        temperature=fit.temperature,
        bias=dict(zip(predictor.classes, fit.bias, strict=True)) if has_bias else {},
        intensity=intensity,
        points=adapted.points,
        quantiles=adapted.quantiles,
        familiar=replace(fitted.familiar, reference=reference),
        adaptation={
            "parent": predictor.sha256,
            "method": adapted.method,
            "patients": about["patients"],
            "lesions": about["lesions"],
            "labelled": about["labelled"],
        },
    )


def _measure(predictor: Predictor, site: Site, fit: Fit) -> Mapping[str, np.ndarray]:
    """What `graft predict` will measure of the lesions of the site."""
    if fit.intensity is None:
        return site.measured
    inputs = map_inputs(site, [fit.intensity.apply(one.image) for one in site.inputs])
    predicted = predictor.predict_inputs(inputs)
    return measured_of([one for one in predicted if isinstance(one, Prediction)])


def _write_weights(folder: Path, predictor: Predictor, fit: Fit) -> None:
    """The weights and the card, with the new heads if there are any."""
    if fit.heads is None:
        for name in (WEIGHTS, CARD):
            shutil.copyfile(predictor.folder / name, folder / name)
        return
    networks = predictor.model.networks
    for network, head in zip(networks, fit.heads, strict=True):
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(np.ascontiguousarray(head.weights)))
            network.head.bias.copy_(torch.from_numpy(head.bias))
    save_model(folder, networks, {**predictor.model.card, "adapted_from": predictor.sha256})
