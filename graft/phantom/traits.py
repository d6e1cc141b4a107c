"""The traits by which benign and malignant lesions differ; they set how hard the cohort is."""

import math
from dataclasses import dataclass

import numpy as np

CLASSES = ("benign", "malignant")


@dataclass(frozen=True)
class Trait:
    """One trait of a lesion, which varies between `low` and `high`.

    Every lesion has an aggressiveness: a normal variable with standard deviation 1 and mean
    +SEPARATION/2 if the lesion is malignant, -SEPARATION/2 if it is benign. A trait is load *
    aggressiveness + sqrt(1 - load^2) * an independent normal variable (the factor model of
    Spearman, 1904), mapped to low..high by the normal distribution function. Thus one trait has an
    AUROC of Phi(|load| * SEPARATION / sqrt 2). All traits together have an AUROC of
    Phi(SEPARATION * sqrt(I / (1 + I)) / sqrt 2), where I is the sum of load^2 / (1 - load^2). A
    trait with load 0 carries no information.
    """

    low: float
    high: float
    load: float


# Distance between the mean aggressiveness of the two classes, in standard deviations.
SEPARATION = {"lung": 3.3, "liver": 3.3, "liver_mr": 3.3, "unrelated": 3.3}

# Loads: the traits that source and target share are stronger than those that only one has.
# Otherwise a network would learn only what does not transfer. Diameter is weak, so that size
# alone does not separate the classes well.
SPICULATION = Trait(0.0, 1.0, 0.60)  # length of the spicules, relative to the radius
LOBULATION = Trait(0.0, 0.45, 0.50)  # depth of the lobes, relative to the radius
HETEROGENEITY = Trait(0.0, 1.0, 0.60)  # relative to the scanner's HETEROGENEITY
DIAMETER = Trait(8.0, 24.0, 0.13)  # mm; all sizes fit a patch of 32 mm
LIVER_EDGE = Trait(0.4, 6.0, 0.50)  # width of the margin, mm
RIM = Trait(0.0, 1.0, 0.50)  # CT: relative to RIM_HU; MR: 1 doubles T2
FLUID = Trait(0.0, 1.0, -0.40)  # 0: solid, 1: a cyst; in MR haemangiomas are in between

TRAITS: dict[str, dict[str, Trait]] = {
    "lung": {
        "diameter": DIAMETER,
        "spiculation": SPICULATION,
        "lobulation": LOBULATION,
        "edge": Trait(0.4, 5.0, 0.50),  # width of the margin, mm
        "heterogeneity": HETEROGENEITY,
        "part_solid": Trait(0.0, 0.8, 0.20),  # share of the radius that is ground glass
        "calcification": Trait(0.0, 1.0, -0.40),  # high values show as a calcified centre
        "density": Trait(10.0, 60.0, 0.0),  # HU of the solid part
    },
    "liver": {
        "diameter": DIAMETER,
        "spiculation": SPICULATION,
        "lobulation": LOBULATION,
        "edge": LIVER_EDGE,
        "heterogeneity": HETEROGENEITY,
        "rim": RIM,
        "fluid": FLUID,
        "nodules": Trait(0.0, 1.0, -0.35),  # high values show as nodular enhancement at the edge
        "density": Trait(30.0, 60.0, 0.0),  # HU by which the solid part is below the tissue
    },
    "liver_mr": {
        "diameter": DIAMETER,
        "spiculation": SPICULATION,
        "lobulation": LOBULATION,
        "edge": LIVER_EDGE,
        "heterogeneity": HETEROGENEITY,
        "rim": RIM,
        "fluid": FLUID,
        "t2": Trait(65.0, 95.0, 0.0),  # ms, of the solid part
    },
    "unrelated": {
        "diameter": Trait(16.0, 24.0, 0.0),  # mm
        "contrast": Trait(-60.0, 60.0, 0.84),  # HU above the tissue
    },
}
MIMICS = 0.03  # share of the lesions that look like the other class: no reader is perfect
MALIGNANT = 0.45  # share of the patients whose first lesion is malignant
SEVERAL = 0.3  # share of the patients with two or three lesions
DISCORDANT = 0.2  # chance that a further lesion differs in class from the first one


def draw_traits(rng: np.random.Generator, organ: str, label: str) -> dict[str, float]:
    """Draw the traits of one lesion, in the units of TRAITS."""
    is_mimic = rng.random() < MIMICS
    looks_malignant = (label == "malignant") != is_mimic
    side = 0.5 if looks_malignant else -0.5
    aggressiveness = rng.standard_normal() + SEPARATION[organ] * side
    return {name: _draw(rng, trait, aggressiveness) for name, trait in TRAITS[organ].items()}


def draw_labels(rng: np.random.Generator) -> list[str]:
    """Draw the classes of a patient's one to three lesions."""
    malignant = rng.random() < MALIGNANT
    further = int(rng.integers(1, 3)) if rng.random() < SEVERAL else 0
    labels = [CLASSES[malignant]]
    for _ in range(further):
        is_discordant = rng.random() < DISCORDANT
        labels.append(CLASSES[malignant != is_discordant])
    return labels


def _draw(rng: np.random.Generator, trait: Trait, aggressiveness: float) -> float:
    own = math.sqrt(1 - trait.load**2) * rng.standard_normal()
    normal = trait.load * aggressiveness + own
    share = 0.5 * (1 + math.erf(normal / math.sqrt(2)))
    return trait.low + (trait.high - trait.low) * share
