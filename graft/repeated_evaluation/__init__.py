"""What the predictions of repeated trainings say about transfer: curve and cross-validation."""
