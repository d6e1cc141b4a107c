"""The ranking of sources for a target: how different they are, and which promises the best transfer."""
