"""Processed domains, their splits, and the tasks that networks train on."""
