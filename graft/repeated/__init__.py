"""Trainings that run several times, with other patients and other seeds, and their predictions."""
