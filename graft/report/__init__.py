"""The report: renders the results of a run as one HTML page for clinicians and reviewers."""
