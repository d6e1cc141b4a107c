"""A registry without a server: the versions of a model and their stages are tags of git."""
