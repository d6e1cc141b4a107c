"""Explanations of a model: where it looked, and what worse images cost it."""
