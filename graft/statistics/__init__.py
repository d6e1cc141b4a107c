"""Scores, intervals, tests and calibration of a model's probabilities, computed over patients."""
