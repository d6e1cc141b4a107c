"""Attacks that infer who was in the training data of a model, as an audit of its privacy."""
