"""The synthetic cohort: CT and MR volumes with lesions, for use without real data."""
