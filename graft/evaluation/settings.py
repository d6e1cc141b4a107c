"""The parameters of the evaluation."""

from typing import Annotated

from pydantic import Field

from graft.common.parameters import Section

# metrics.json has six decimals, and neither 0 nor 1 for these.
OpenShare = Annotated[float, Field(ge=1e-6, le=1 - 1e-6)]


class Evaluate(Section):
    """How models are evaluated.

    Attributes:
        resamples: the number of bootstrap resamples of the patients.
        confidence: the level of the intervals, such as 0.95.
        margin: of non-inferiority, a difference in AUROC.
        sensitivity: what one operating point reaches on the validation part.
        specificity: what the other one reaches there.
        miscoverage: α of the conformal sets, the share that may lack the true class.
    """

    resamples: Annotated[int, Field(ge=100, le=100_000)]
    confidence: OpenShare
    margin: OpenShare
    sensitivity: OpenShare
    specificity: OpenShare
    miscoverage: OpenShare
