"""Cohorts that follow the model of a patient effect."""

import numpy as np
import pandas as pd
from scipy.special import expit

from graft.patient_effect.model import conditional_logits
from graft.statistics.cases import Cases

CLASSES = ["benign", "malignant"]


def draw_cases(patients: int, sd: float, seed: int) -> tuple[Cases, np.ndarray]:
    """Draw patients with two lesions each, and their calibrated probabilities (N, 2)."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 2)
    disease = expit(random.normal(0, 1, len(patient))).round(8)
    logits = conditional_logits(disease, sd) + sd * random.standard_normal(patients)[patient]
    positive = random.random(len(patient)) < expit(logits)
    rows = pd.DataFrame(
        {
            "sample": np.arange(len(patient)),
            "patient": [f"p{number}" for number in patient],
            "label": np.array(CLASSES)[positive.astype(int)],
        }
    )
    cases = Cases.of(rows, CLASSES, 200, np.random.default_rng(seed))
    return cases, np.stack([1 - disease, disease], axis=1)
