"""How well a number is read from features."""

import numpy as np

from benchmarks.feature_contents import contents_table, explained_share

PATIENTS = np.arange(60) // 2


def test_a_linear_number_is_explained_and_noise_is_not():
    random = np.random.default_rng(0)
    features = random.standard_normal((60, 3))
    linear = features @ [1.0, -2.0, 0.0] + 5
    noise = random.standard_normal(60)
    assert explained_share(features, linear, PATIENTS) > 0.99
    assert explained_share(features, noise, PATIENTS) < 0.1
    lines = list(contents_table({"resnet": features}, {"size": linear}, PATIENTS))
    assert lines[0] == "| features of | R² of size |"
    assert lines[2] == "| resnet | 1.00 |"
