"""Finds images that are the same picture, also if it was mirrored, shifted, resaved or rescaled."""
