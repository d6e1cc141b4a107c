"""Scans: a patch cut at each lesion, in parallel, with a cache of what was cut."""
