"""What scans say without labels: whether intensities differ, and the shares of the classes."""

import numpy as np

from graft.adaptation.fits import INTENSITY, NO_LABELS, NONE, Fitter
from graft.adaptation.prior import Prior, estimate_prior
from graft.adaptation.site import UNKNOWN

CONFIDENCE = 0.95


def choose_without_labels(fitter: Fitter, seen: np.ndarray) -> str:
    """Map the intensities if they can be told from those of the training, otherwise do nothing.

    The prior is not chosen, however clear its estimate is. A change of how lesions look can be
    taken for one of their shares, and no test without labels tells the two apart: docs/adapt.md has
    a site where that nearly doubled the log loss.
    """
    return NONE if fitter.fit(INTENSITY, NO_LABELS, seen).intensity is None else INTENSITY


def site_prior(fitter: Fitter, labelled: np.ndarray, seen: np.ndarray, seed: int) -> Prior | None:
    """The share of the disease at the site; None with more than two classes or no reference.

    Intensities are mapped before, if they differ from those of the training.

    Args:
        fitter: of the site.
        labelled: the numbers of the lesions whose labels are used.
        seen: the numbers of the lesions whose images are used, with those above.
        seed: of the random draws.
    """
    if len(fitter.predictor.classes) != 2 or not len(fitter.reference):
        return None
    calibrated = fitter.fit(INTENSITY, NO_LABELS, seen).calibrated
    labels = np.full(len(fitter.site), UNKNOWN)
    labels[labelled] = fitter.site.labels[labelled]
    return estimate_prior(
        calibrated[seen],
        fitter.reference,
        labels[seen],
        fitter.site.patients[seen],
        CONFIDENCE,
        seed,
    )
