"""A trained model adapted to the scans of a site, if that is shown to help."""
