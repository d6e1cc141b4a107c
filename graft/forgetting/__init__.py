"""Removes a patient from a project: raw rows, derived files and caches, and says what is left."""
