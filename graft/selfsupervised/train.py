"""Train the body of a network without labels, by contrast of two views of each image."""

from pathlib import Path

import torch
from torch import Tensor, nn

from graft.common.code import code_digest
from graft.common.seeds import derive
from graft.console import counting, say
from graft.data.task import Samples
from graft.networks.classifier import Classifier
from graft.selfsupervised.loss import nt_xent
from graft.selfsupervised.settings import VIEWS, SelfSupervise
from graft.training.checkpoint import Checkpoint
from graft.training.epoch import Epochs
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.training.settings import Augment, Recipe, Training
from graft.training.state import Row, State, make_optimizer, restore_state, save_state

HIDDEN = 128  # units of the projection, and numbers of a projected view
PROJECTED = 64
PACKAGE = "selfsupervised"  # whose code decides a training too


class Contrast(nn.Module):
    """A network whose features are projected, by two layers that are not kept after training.

    Source: Chen et al. (SimCLR), ICML 2020: features before a nonlinear projection transfer better.

    Args:
        network: its body is trained, and its head is not.
        seed: of the projection.
    """

    def __init__(self, network: Classifier, seed: int) -> None:
        super().__init__()
        self.network = network
        features = network.head.in_features - network.covariates
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.projection = nn.Sequential(
                nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PROJECTED)
            )

    def forward(self, images: Tensor) -> Tensor:
        """Maps images (B, C, *patch) in [0, 1] to vectors (B, PROJECTED)."""
        return self.projection(self.network.features(images))


class ContrastEpochs(Epochs):
    """The epochs of a training without labels: two transforms of each image are its views.

    Args:
        temperature: τ of the loss. The other arguments are those of `Epochs`.
    """

    def __init__(self, state: State, images: Samples, plan: Plan, temperature: float) -> None:
        super().__init__(state, images, torch.ones(len(images)), plan)
        self.temperature = temperature

    def loss(self, inputs: Tensor, places: Tensor) -> Tensor:
        """NT-Xent () of the transforms of a batch, which has the places (B,) in the epoch."""
        views = inputs[len(places) :]  # (2B, C, *spatial), without the images themselves
        return nt_xent(self.state.network(views), self.temperature)


def plan_contrast(
    settings: SelfSupervise,
    training: Training,
    augment: Augment,
    seed: int,
    purpose: str,
    checkpoints: Path,
) -> Plan:
    """Plan a training without labels, which keeps the weights of its last epoch."""
    recipe = Recipe(
        epochs=settings.epochs,
        lr=settings.lr,
        patience=settings.epochs,
        transforms=VIEWS,
        l1=0.0,
        l2=0.0,
    )
    training = training.model_copy(update={"batch": settings.batch})
    return Plan(recipe, training, augment, seed, purpose, checkpoints)


def train_without_labels(
    network: Classifier, images: Samples, plan: Plan, temperature: float, log: Log
) -> Row:
    """Train the body of `network` in place, and resume if such a training was killed.

    Args:
        network: with fresh weights.
        images: what it learns from. Their labels are not read.
        plan: how to train.
        temperature: τ of the loss.
        log: gets one row per epoch. A resumed training logs the earlier rows again.

    Returns:
        The row of the last epoch.

    Raises:
        InputError: if the loss is not finite.
    """
    contrast = Contrast(network, derive(plan.seed, "projection"))
    contrast.to(images.labels.device)
    optimizer = make_optimizer(contrast, plan.recipe, plan.training)
    checkpoint = Checkpoint(
        plan.checkpoints / plan.stage, _training_key(contrast, images, plan, temperature)
    )
    state = restore_state(contrast, optimizer, checkpoint)
    if state is None:
        state = State(contrast, optimizer, best={}, history=[])
    elif len(state.history) < plan.recipe.epochs:
        say(f"{plan.purpose}: resumes after epoch {len(state.history)}")
    for row in state.history:
        log(row)
    epochs = ContrastEpochs(state, images, plan, temperature)
    done = len(state.history)
    with counting(plan.purpose, plan.recipe.epochs, "epoch", done) as show:
        for epoch in range(done + 1, plan.recipe.epochs + 1):
            loss = epochs.run(epoch)["train_loss"]
            row = {"epoch": epoch, "train_loss": loss}
            state.history.append(row)
            log(row)
            show(f"train loss {loss:.4f}")
            if checkpoint.due() or epoch == plan.recipe.epochs:
                save_state(state, checkpoint)
    return state.history[-1]


def _training_key(contrast: Contrast, images: Samples, plan: Plan, temperature: float) -> dict:
    """Everything that decides the result of a training, as plain values.

    The weights at the start are not in it: the layers and the seed decide them.
    """
    return {
        "code": code_digest([PACKAGE]),
        "images": images.sha256(),
        "layers": str(contrast),
        "device": str(images.labels.device),
        "recipe": plan.recipe.model_dump(),
        "training": plan.training.model_dump(),
        "augment": plan.augment.model_dump(),
        "temperature": temperature,
        "seed": plan.seed,
        "purpose": plan.purpose,
    }
