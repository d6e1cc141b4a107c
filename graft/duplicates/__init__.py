"""Finds images that are the same picture, also after mirroring, recompression or rescaling."""
