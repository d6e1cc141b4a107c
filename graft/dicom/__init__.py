"""Reads a DICOM series or segmentation as voxels, and refuses what it cannot read correctly."""
