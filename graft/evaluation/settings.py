"""The parameters of the evaluation."""

from typing import Annotated

from pydantic import Field

from graft.common.parameters import Section

OpenShare = Annotated[float, Field(gt=0, lt=1)]


class Evaluate(Section):
    """Intervals, the margin of non-inferiority, and the operating points."""

    resamples: Annotated[int, Field(ge=100)]
    confidence: OpenShare
    margin: OpenShare
    sensitivity: OpenShare
    specificity: OpenShare
