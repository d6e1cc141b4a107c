"""Whole runs to begin from: a params.yaml each, in a folder of its name."""
