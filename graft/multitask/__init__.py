"""Training on several tasks at once: a head per task over the features of one body."""
