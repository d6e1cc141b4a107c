"""Volumes in space: voxel grids, positions in mm, spacing and intensity windows."""
