"""DICOM: a folder of slices, or a file of many frames, read as one volume or refused, and never misread in silence."""
