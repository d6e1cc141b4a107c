"""The picture of how time and memory of each stage grow."""


def draw_growth(path, costs, fits):
    pass
