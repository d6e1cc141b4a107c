"""The search for leaks: what a model may have seen of the data that it is evaluated on."""
