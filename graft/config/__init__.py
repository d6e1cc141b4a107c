"""The complete parameter file, and the checks that need several of its sections."""
