"""The parameters of the synthetic cohort."""

from graft.common.parameters import Count, Section


class SyntheticCohort(Section):
    """How many patients one organ has."""

    patients: Count
