"""The evaluation of repeated trainings: the learning curve and the cross-validation."""
