"""Comparisons with what a user would use instead of graft, and proofs of what graft promises."""
