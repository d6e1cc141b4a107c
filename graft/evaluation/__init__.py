"""The evaluation of trained models: scores of every model, its audit, metrics.json and the tables."""
