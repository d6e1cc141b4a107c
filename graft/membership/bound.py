"""What differential privacy allows an attack: the limits on its rates and on its AUC.

Kairouz, Oh and Viswanath, "The Composition Theorem for Differential Privacy", ICML 2015: a
mechanism is (ε, δ)-private if and only if every test between two neighbouring data sets has

    TPR ≤ e^ε·FPR + δ    and    TPR ≤ 1 - e^-ε·(1 - δ - FPR)
"""

import math

LARGEST = 700.0  # ε whose exponential is a finite number


def most_true_positives(false_positives: float, epsilon: float, delta: float) -> float:
    """Compute the largest rate of true positives at a rate of false positives."""
    ratio = math.exp(min(epsilon, LARGEST))
    few = ratio * false_positives + delta
    many = 1 - (1 - delta - false_positives) / ratio
    return min(1.0, few, many)


def largest_auc(epsilon: float, delta: float) -> float:
    """Compute the area under the curve of `most_true_positives`: 1 - (1 - δ)² / (1 + e^ε).

    The lines meet at FPR = (1 - δ)/(1 + e^ε) = x. Two triangles are above them: below x one with
    the area x(1 - δ) - e^ε·x²/2, and above it one with the area e^ε·x²/2.
    """
    return 1 - (1 - delta) ** 2 / (1 + math.exp(min(epsilon, LARGEST)))
