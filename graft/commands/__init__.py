"""The command `graft`: a module for each of its commands."""
