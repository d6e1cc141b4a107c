"""Training with differential privacy per patient, and what it costs."""
