"""The evaluation of trained models: their scores, metrics.json and its tables."""
