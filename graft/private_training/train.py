"""Private training: DP-SGD by patient, with any optimizer behind it.

In each step every patient is drawn with probability q. The clipped gradients of those drawn are
added up, Gaussian noise with the standard deviation σC is added to each number of the sum, and the
result is divided by qN (Abadi et al., "Deep Learning with Differential Privacy", CCS 2016). What
the optimizer does with it needs no further privacy.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graft.common.code import code_digest, library_versions
from graft.common.files import InputError
from graft.console import progress, say
from graft.data.batches import read_batches
from graft.data.task import Samples, Task
from graft.keys.pseudonyms import fingerprint
from graft.keys.stream import SecretStream
from graft.networks.classifier import Classifier
from graft.private_training.budget import Budget, make_accountant, spent
from graft.private_training.gradients import ClippedSum
from graft.training.augment import apply, draw, draw_noise
from graft.training.checkpoint import Checkpoint
from graft.training.fitting import training_key
from graft.training.loop import Log, validate
from graft.training.loss import learning_rate, penalty
from graft.training.plan import Plan
from graft.training.state import Row, State, make_optimizer, restore_state, save_state

AT_ONCE = 256  # lesions of several patients in one pass on a GPU
PACKAGES = ("keys", "private_training")  # which decide a private training beside others


@dataclass(frozen=True)
class PrivateRun:
    """What a private training reads.

    Attributes:
        network: changes in place.
        task: what it trains on. The validation part is only scored, it decides nothing.
        plan: with the epochs and the learning rate of private training, and class weights "none".
        budget: of the privacy.
        key: the secret that the noise follows from.
    """

    network: Classifier
    task: Task
    plan: Plan
    budget: Budget
    key: str


def train_privately(run: PrivateRun, log: Log) -> tuple[Row, float]:
    """Train for all steps of the budget, or resume if a training with the same inputs was killed.

    Noise, patients of a step and transforms follow from the secret key and from everything that
    decides the training, its data included. So a training on other data draws other noise.

    Args:
        run: what to train.
        log: gets a row per epoch, which says nothing about the patients who are trained on.

    Returns:
        The row of the last epoch, and the ε of the steps that were taken.

    Raises:
        InputError: if a layer mixes images, or if a weight is not finite.
    """
    plan, budget, network = run.plan, run.budget, run.network
    checkpoint = Checkpoint(plan.checkpoints / plan.stage, _key(run))
    steps = Steps(run, SecretStream(run.key, checkpoint.path.stem))
    optimizer = make_optimizer(network, plan.recipe, plan.training)
    state = restore_state(network, optimizer, checkpoint)
    if state is None:
        first = {"epoch": 0, **validate(network, run.task, plan)}
        state = State(network, optimizer, {}, [first])
    else:
        say(f"{plan.purpose}: resumes after epoch {state.history[-1]['epoch']}")
    with progress(plan.purpose, plan.recipe.epochs) as show_epoch:
        for row in state.history:
            show_epoch(row)
            log(row)
        while state.history[-1]["epoch"] < plan.recipe.epochs:
            epoch = int(state.history[-1]["epoch"]) + 1
            steps.run(optimizer, epoch)
            row = {"epoch": epoch, **validate(network, run.task, plan)}
            state.history.append(row)
            show_epoch(row)
            log(row)
            if checkpoint.due() or epoch == plan.recipe.epochs:
                save_state(state, checkpoint)
    steps.clipped.close()
    accountant = make_accountant()
    for _ in range(int(state.history[-1]["epoch"]) * steps.in_epoch):
        accountant.step(noise_multiplier=budget.noise_multiplier, sample_rate=budget.sampling_rate)
    return state.history[-1], spent(accountant, budget.delta)


class Steps:
    """The steps of a private training.

    Args:
        run: the training.
        secret: all its random numbers.
    """

    def __init__(self, run: PrivateRun, secret: SecretStream) -> None:
        self.network, self.plan, self.budget = run.network, run.plan, run.budget
        self.train: Samples = run.task.train
        self.device = self.train.labels.device
        self.secret = secret
        on_gpu = self.device.type == "cuda"
        self.clipped = ClippedSum(run.network, run.budget.clip, by_image=on_gpu)
        _, self.patient_of = np.unique(self.train.patients, return_inverse=True)  # (N,)
        count = self.patient_of.max() + 1
        self.rows_of = [np.flatnonzero(self.patient_of == patient) for patient in range(count)]
        self.in_epoch = run.budget.steps // run.plan.recipe.epochs
        self.bank = self._draw_bank()

    def run(self, optimizer: torch.optim.Optimizer, epoch: int) -> None:
        """Take the steps of an epoch, counted from 1.

        Raises:
            InputError: if a weight is not finite.
        """
        self.network.train()
        for step in range((epoch - 1) * self.in_epoch, epoch * self.in_epoch):
            recipe, schedule = self.plan.recipe, self.plan.training.schedule
            rate = learning_rate(recipe, schedule, step / self.budget.steps)
            for group in optimizer.param_groups:
                group["lr"].fill_(rate)
            self.set_gradient(step)
            optimizer.step()
        for parameter in self.clipped.parameters:
            if not torch.isfinite(parameter).all():
                raise InputError(
                    f"{self.plan.purpose}: a weight became NaN or infinite in epoch {epoch} with "
                    f"lr {self.plan.recipe.lr}, expected finite numbers, which a lower lr gives"
                )

    def set_gradient(self, step: int) -> None:
        """Give the parameters their private gradient of a step, and the one of the penalties."""
        self.add_patients(self.draw_patients(step), step)
        deviation = self.budget.noise_multiplier * self.budget.clip
        pairs = zip(self.clipped.parameters, self.clipped.totals, strict=True)
        for number, (parameter, total) in enumerate(pairs):
            drawn = self.secret.normal(parameter.numel(), "noise", step, number)
            noise = torch.from_numpy(deviation * drawn).view(parameter.shape).to(total)
            parameter.grad = (total + noise) / self.budget.expected
        weights = penalty(self.network, self.plan)
        if weights.requires_grad:
            weights.backward()  # of the weights alone, so it needs no noise

    def draw_patients(self, step: int) -> np.ndarray:
        """The numbers of the patients of a step, each drawn with probability q; perhaps none."""
        drawn = self.secret.uniform(len(self.rows_of), "patients", step)
        return np.flatnonzero(drawn < self.budget.sampling_rate)

    def add_patients(self, patients: np.ndarray, step: int) -> None:
        """Add up the clipped gradients of some patients."""
        self.clipped.reset()
        random = self.secret.generator("transforms", step)
        batches = [torch.from_numpy(rows) for rows in self._batches(patients)]
        images_of_batches = read_batches(self.train.images, batches, self.device)
        for rows, images in zip(batches, images_of_batches, strict=True):
            losses = self._losses(rows, images, random)
            present, owners = np.unique(self.patient_of[rows], return_inverse=True)
            repeated = np.tile(
                owners, len(losses) // len(rows)
            )  # the transforms follow the lesions
            owner = torch.from_numpy(repeated).to(self.device)
            self.clipped.add(losses, owner, len(present))

    def _batches(self, patients: np.ndarray) -> Iterator[np.ndarray]:
        """The lesions of patients, all of a patient in one batch."""
        batch: list[np.ndarray] = []
        for patient in patients:
            batch.append(self.rows_of[patient])
            if not self.clipped.by_image or sum(map(len, batch)) >= AT_ONCE:
                yield np.concatenate(batch)
                batch = []
        if batch:
            yield np.concatenate(batch)

    def _losses(self, rows: Tensor, images: Tensor, random: np.random.Generator) -> Tensor:
        """The losses of lesions (B,) and of their transforms, (M + 1)·B in all.

        Those of the M transforms of a lesion count as much as its own, as in `augmented_loss`.
        """
        copies = self.plan.recipe.transforms
        labels = self.train.labels[rows.to(self.device)].repeat(1 + copies)
        outputs = self.network(self._with_transforms(images, random))
        weights = outputs.new_ones(len(labels))
        weights[len(rows) :] /= max(1, copies)
        return F.cross_entropy(outputs, labels, reduction="none") * weights

    def _with_transforms(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """A batch (B, C, *spatial) followed by its M transforms: ((1 + M)·B, C, *spatial)."""
        count = self.plan.recipe.transforms
        if not count:
            return images
        drawn = draw(self.plan.augment, count * len(images), images.ndim - 2, random)
        transforms = drawn.map(lambda tensor: tensor.to(self.device))
        copies = images.repeat(count, *[1] * (images.ndim - 1))
        return torch.cat([images, apply(copies, transforms, self.bank)])

    def _draw_bank(self) -> Tensor | None:
        """Draw the noise of the transforms, and copy it to the device."""
        if not self.plan.recipe.transforms or not self.plan.augment.noise:
            return None
        voxels = int(np.prod(self.train.images.shape[1:]))
        return draw_noise(voxels, self.secret.generator("bank")).to(self.device)


def private_plan(plan: Plan, epochs: int, lr: float) -> Plan:
    """How a private training trains, from how it would train without privacy.

    It has no class weights, because these are computed from the labels.
    """
    recipe = plan.recipe.model_copy(update={"epochs": epochs, "lr": lr})
    training = plan.training.model_copy(update={"class_weights": "none"})
    return replace(plan, recipe=recipe, training=training)


def _key(run: PrivateRun) -> dict:
    """Everything that decides a private training, and so its random numbers."""
    _, owners = np.unique(run.task.train.patients, return_inverse=True)
    return {
        **training_key(run.network, run.task, run.plan, None),
        "patients": hashlib.sha256(owners.astype(np.int64).tobytes()).hexdigest(),
        "budget": run.budget.describe(),
        "key": fingerprint(run.key),
        "code": code_digest(PACKAGES),
        "libraries": library_versions(["opacus"]),
    }
