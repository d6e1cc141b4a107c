"""Structured Reports: predictions for DICOM series as DICOM, for the archive they came from."""
