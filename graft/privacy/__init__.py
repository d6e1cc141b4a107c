"""Searches what graft wrote for anything that identifies a patient."""
