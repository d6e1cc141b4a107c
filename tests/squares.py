"""A task that a network learns within a second: to tell images with a bright square from others."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.data.task import Samples, Task
from graft.networks.build import build_network
from graft.training.plan import Plan
from graft.training.settings import Augment, Recipe, Training

RECIPE = Recipe(epochs=5, lr=0.01, patience=5, transforms=1, l1=0.0, l2=0.0)
TRAINING = Training(
    device="cpu",
    batch=8,
    optimizer="adamw",
    weight_decay=0.0,
    schedule="cosine",
    class_weights="balanced",
    memory=0.5,
)
AUGMENT = Augment(
    flip=0.5, rotate=20.0, scale=0.1, shift=1.0, contrast=0.1, brightness=0.1, noise=0.02
)
PLAN = Plan(RECIPE, TRAINING, AUGMENT, seed=1, purpose="test", checkpoints=Path("unused"))


def samples(count: int, seed: int) -> Samples:
    """Images of noise. Every fourth is malignant and has a bright square."""
    random = generator(seed, "squares")
    labels = np.arange(count) % 4 == 0
    images = random.uniform(0, 0.5, (count, 1, 8, 8))
    images[labels, :, 2:6, 2:6] += 0.3
    images = torch.from_numpy(images.astype(np.float16))
    return Samples(images, torch.from_numpy(labels.astype(np.int64)), np.arange(count))


def task(count: int = 24) -> Task:
    domain = Domain(
        "squares", np.zeros((0, 1, 8, 8), np.float16), pd.DataFrame(), ["benign", "malignant"], {}
    )
    return Task(domain, samples(count, 1), samples(16, 2))


def network(seed: int = 0) -> nn.Module:
    return build_network("resnet", patch=(8, 8), channels=1, classes=2, width=8, seed=seed)
