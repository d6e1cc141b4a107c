"""Trainings that run several times, on other patients or from other seeds, for the evaluation."""
