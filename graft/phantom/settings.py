"""The parameters of the synthetic cohort."""

from typing import Annotated

from pydantic import Field

from graft.common.parameters import Section


class SyntheticCohort(Section):
    """How many patients one organ has."""

    patients: Annotated[int, Field(ge=1, le=20_000)]  # each takes about 1 MB
