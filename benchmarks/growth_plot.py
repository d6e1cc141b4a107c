"""The picture of how time and memory of each stage grow."""

from pathlib import Path


def draw_growth(path, costs, fits):
    pass
