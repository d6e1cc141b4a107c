"""Predictions of a trained model for new scans, with everything that was fitted with it."""
