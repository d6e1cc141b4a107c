"""What makes a lesion look benign or malignant: the one place where the cohort's difficulty is set."""

import math
from dataclasses import dataclass

import numpy as np

CLASSES = ("benign", "malignant")


@dataclass(frozen=True)
class Trait:
    """One trait of a lesion, a matter of degree.

    Every lesion has an aggressiveness, a normal number of standard deviation 1 around +SEPARATION/2 where it is
    malignant and -SEPARATION/2 where it is benign. A trait is load * aggressiveness + sqrt(1 - load^2) * a normal
    number of its own (the factor model of Spearman, 1904), mapped onto low..high by the normal distribution function.
    So a trait alone scores AUROC = Phi(|load| * SEPARATION / sqrt 2), and all together with I, the sum of
    load^2 / (1 - load^2), score Phi(SEPARATION * sqrt(I / (1 + I)) / sqrt 2). With a load of 0 it says nothing.
    """

    low: float
    high: float
    load: float


SEPARATION = {
    "lung": 3.3,
    "liver": 3.3,
    "liver_mr": 3.3,
}  # of the classes' aggressiveness, in standard deviations
TRAITS: dict[str, dict[str, Trait]] = {
    "lung": {
        "diameter": Trait(8.0, 24.0, 0.13),  # mm
        "spiculation": Trait(0.0, 1.0, 0.60),  # length of the spicules, of the radius
        "lobulation": Trait(0.0, 0.45, 0.50),  # depth of the lobes, of the radius
        "edge": Trait(0.4, 5.0, 0.50),  # width of the margin, mm
        "heterogeneity": Trait(0.0, 1.0, 0.60),  # of HETEROGENEITY_HU
        "part_solid": Trait(0.0, 0.8, 0.20),  # share of the radius that is ground glass
        "calcification": Trait(0.0, 1.0, -0.40),  # its upper part shows as a calcified centre
        "density": Trait(10.0, 60.0, 0.0),  # HU of the solid part
    },
    "liver": {
        "diameter": Trait(8.0, 24.0, 0.13),
        "spiculation": Trait(0.0, 1.0, 0.60),
        "lobulation": Trait(0.0, 0.45, 0.50),
        "edge": Trait(0.4, 6.0, 0.50),
        "heterogeneity": Trait(0.0, 1.0, 0.60),
        "rim": Trait(0.0, 1.0, 0.50),  # of RIM_HU
        "fluid": Trait(0.0, 1.0, -0.40),  # 0: solid and hypodense, 1: a cyst
        "nodules": Trait(
            0.0, 1.0, -0.35
        ),  # its upper part shows as nodular enhancement at the edge
        "density": Trait(30.0, 60.0, 0.0),  # HU of the solid part below the parenchyma
    },
    "liver_mr": {
        "diameter": Trait(8.0, 24.0, 0.13),
        "spiculation": Trait(0.0, 1.0, 0.60),
        "lobulation": Trait(0.0, 0.45, 0.50),
        "edge": Trait(0.4, 6.0, 0.50),
        "heterogeneity": Trait(0.0, 1.0, 0.60),
        "rim": Trait(0.0, 1.0, 0.50),  # 1 doubles T2 there
        "fluid": Trait(0.0, 1.0, -0.40),  # 0: solid, 1: a cyst, haemangiomas between them
        "t2": Trait(65.0, 95.0, 0.0),  # ms, of the solid part
    },
}
MIMICS = 0.03  # share of the lesions whose traits are drawn from the other class
MALIGNANT = 0.45  # share of the patients whose lesions are malignant, save for the discordant
SEVERAL = 0.3  # share of the patients with two or three lesions
DISCORDANT = 0.2  # chance that a further lesion is of the other class than the first


def draw_traits(rng: np.random.Generator, organ: str, label: str) -> dict[str, float]:
    """Draw the traits of one lesion, in the units of TRAITS."""
    looks_malignant = (label == "malignant") != (rng.random() < MIMICS)
    aggressiveness = rng.standard_normal() + SEPARATION[organ] * (0.5 if looks_malignant else -0.5)
    return {name: _draw(rng, trait, aggressiveness) for name, trait in TRAITS[organ].items()}


def draw_labels(rng: np.random.Generator) -> list[str]:
    """Draw the classes of a patient's one to three lesions."""
    malignant = rng.random() < MALIGNANT
    further = int(rng.integers(1, 3)) if rng.random() < SEVERAL else 0
    return [
        CLASSES[malignant],
        *(CLASSES[malignant != (rng.random() < DISCORDANT)] for _ in range(further)),
    ]


def _draw(rng: np.random.Generator, trait: Trait, aggressiveness: float) -> float:
    number = trait.load * aggressiveness + math.sqrt(1 - trait.load**2) * rng.standard_normal()
    return trait.low + (trait.high - trait.low) * 0.5 * (1 + math.erf(number / math.sqrt(2)))
