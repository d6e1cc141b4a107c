"""The report: one page made from metrics and predictions alone, for a clinician or a reviewer."""
