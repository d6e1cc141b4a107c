"""A synthetic cohort of CT volumes with lesions: what graft runs on until it is given real data."""
