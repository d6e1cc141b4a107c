"""The evaluation of trained models: their scores, their audit, metrics.json and its tables."""
