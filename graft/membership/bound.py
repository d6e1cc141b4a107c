"""What differential privacy allows an attack: the limits on its rates and on its AUC.

Kairouz, Oh and Viswanath, "The Composition Theorem for Differential Privacy", ICML 2015: a
mechanism is (ε, δ)-private if and only if every test between two neighbouring data sets has

    TPR ≤ e^ε·FPR + δ    and    TPR ≤ 1 - e^-ε·(1 - δ - FPR)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.common.files import InputError
from graft.common.shown import shown

LARGEST = 700.0  # ε whose exponential is a finite number


@dataclass(frozen=True)
class Guarantee:
    """(ε, δ)-differential privacy of a training towards each patient.

    Attributes:
        epsilon: ε, at least 0.
        delta: δ, in [0, 1].
    """

    epsilon: float
    delta: float

    @property
    def _ratio(self) -> float:
        return math.exp(min(self.epsilon, LARGEST))

    @property
    def largest_auc(self) -> float:
        """The area under the curve of `most_true_positives`: 1 - (1 - δ)² / (1 + e^ε).

        The lines meet at FPR = (1 - δ)/(1 + e^ε) = x. Above them are the area x(1 - δ) - e^ε·x²/2
        on the left of x, and e^ε·x²/2 on its right.
        """
        return 1 - (1 - self.delta) ** 2 / (1 + self._ratio)

    def most_true_positives(self, false_positives: float) -> float:
        """Compute the largest rate of true positives at a rate of false positives."""
        few = self._ratio * false_positives + self.delta
        many = 1 - (1 - self.delta - false_positives) / self._ratio
        return min(1.0, few, many)


def find_guarantee(card: Mapping[str, Any], domain: str, path: Path) -> Guarantee | None:
    """Find what a model guarantees to the patients of a domain, if anything.

    Args:
        card: of the model. Its entry `privacy` is a list with `domain`, `epsilon` and `delta`.
        domain: that its patients belong to.
        path: of the card, for messages.

    Raises:
        InputError: if the entry has another form.
    """
    entries = card.get("privacy", [])
    for entry in entries if isinstance(entries, list) else [entries]:
        epsilon, delta = (_number(entry, key) for key in ("epsilon", "delta"))
        if not (epsilon >= 0 and 0 <= delta <= 1):
            raise InputError(
                f"{path}: privacy: is {shown(entry)}, expected a domain, an epsilon of at least 0 "
                "and a delta from 0 to 1"
            )
        if entry.get("domain") == domain:
            return Guarantee(epsilon, delta)
    return None


def _number(entry: object, key: str) -> float:
    """A number of an entry; NaN if it has none."""
    value = entry.get(key) if isinstance(entry, dict) else None
    return float(value) if isinstance(value, int | float) else math.nan
