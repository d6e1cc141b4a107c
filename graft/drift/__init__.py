"""Whether the scans of the last nights still look like those that a model was trained for."""
