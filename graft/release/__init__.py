"""The folder of a model that is ready to use: weights, card, what was fitted, and a description."""
