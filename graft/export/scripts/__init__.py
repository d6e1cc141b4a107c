"""Code that a bundle of MONAI gets a copy of. It imports nothing of graft."""
