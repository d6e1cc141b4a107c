"""Explanations of a model: where it looked, and how its AUROC falls on worse images."""
