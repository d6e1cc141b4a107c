"""Sets of classes that contain the true one with a chosen probability, in each class."""
