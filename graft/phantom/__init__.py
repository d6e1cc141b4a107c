"""A synthetic cohort of CT and MR volumes with lesions: what graft runs on until it is given real data."""
