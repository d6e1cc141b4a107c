"""A random patient effect: what the known lesions of a patient say about the others."""
