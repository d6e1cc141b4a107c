"""What makes a lesion look benign or malignant: the one place where the cohort's difficulty is set."""

import math
from dataclasses import dataclass

import numpy as np

CLASSES = ("benign", "malignant")


@dataclass(frozen=True)
class Trait:
    """One trait of a lesion, a matter of degree.

    A standard normal number is drawn around +shift/2 for a malignant lesion and -shift/2 for a benign one; the
    normal distribution function maps it onto low..high. So `shift` is the distance of the classes in standard
    deviations (d'), and the trait alone scores AUROC = Phi(shift / sqrt 2). A shift of 0 is a nuisance: it varies,
    and says nothing of the class.
    """

    low: float
    high: float
    shift: float


TRAITS: dict[str, dict[str, Trait]] = {
    "lung": {
        "diameter": Trait(8.0, 24.0, 0.40),  # mm
        "spiculation": Trait(0.0, 1.0, 1.20),  # length of the spicules, of the radius
        "lobulation": Trait(0.0, 0.45, 0.90),  # depth of the lobes, of the radius
        "edge": Trait(0.4, 3.0, 0.80),  # width of the margin, mm
        "heterogeneity": Trait(0.0, 1.0, 0.90),  # of HETEROGENEITY_HU
        "part_solid": Trait(0.0, 0.8, 1.00),  # share of the radius that is ground glass
        "calcification": Trait(0.0, 1.0, -0.70),  # its upper third shows as a calcified centre
        "density": Trait(10.0, 60.0, 0.0),  # HU of the solid part
    },
    "liver": {
        "diameter": Trait(8.0, 24.0, 0.40),
        "spiculation": Trait(0.0, 0.7, 1.00),
        "lobulation": Trait(0.0, 0.45, 0.90),
        "edge": Trait(0.4, 4.0, 1.00),
        "heterogeneity": Trait(0.0, 1.0, 0.90),
        "rim": Trait(0.0, 1.0, 0.90),  # of RIM_HU
        "fluid": Trait(0.0, 1.0, -0.60),  # 0: solid and hypodense, 1: a cyst
        "nodules": Trait(0.0, 1.0, -0.60),  # its upper half shows as nodular enhancement at the edge
        "density": Trait(25.0, 55.0, 0.0),  # HU of the solid part below the parenchyma
    },
}
MIMICS = 0.03  # share of the lesions whose traits are drawn from the other class
MALIGNANT = 0.45  # share of the patients whose lesions are malignant, save for the discordant
SEVERAL = 0.3  # share of the patients with two or three lesions
DISCORDANT = 0.2  # chance that a further lesion is of the other class than the first


def draw_traits(rng: np.random.Generator, organ: str, label: str) -> dict[str, float]:
    """Draw the traits of one lesion, in the units of TRAITS."""
    looks_malignant = (label == "malignant") != (rng.random() < MIMICS)
    return {name: _draw(rng, trait, 0.5 if looks_malignant else -0.5) for name, trait in TRAITS[organ].items()}


def draw_labels(rng: np.random.Generator) -> list[str]:
    """Draw the classes of a patient's one to three lesions."""
    malignant = rng.random() < MALIGNANT
    further = int(rng.integers(1, 3)) if rng.random() < SEVERAL else 0
    return [CLASSES[malignant], *(CLASSES[malignant != (rng.random() < DISCORDANT)] for _ in range(further))]


def _draw(rng: np.random.Generator, trait: Trait, side: float) -> float:
    share = 0.5 * (1 + math.erf((rng.standard_normal() + side * trait.shift) / math.sqrt(2)))
    return trait.low + (trait.high - trait.low) * share
