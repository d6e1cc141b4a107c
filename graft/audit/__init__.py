"""The audit of trained models: their data, and what decided thresholds and choices."""
