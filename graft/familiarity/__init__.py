"""Whether an input looks like those that a model was trained for."""
