"""The form that all networks share: they map images, with covariates if any, to logits."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from graft.networks.registry import NetworkKind, View


class InputStep(nn.Module):
    """What happens to images (B, C, *patch) in [0, 1] before the body of a network sees them.

    The images are standardised. Around 0 and with about unit variance, training starts at once.
    Then a volume may be taken apart into the planes or frames that the body was made for.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, kind: NetworkKind, channels: int) -> None:
        super().__init__()
        self.view: View = kind.view
        self.register_buffer("mean", _for_each_channel(kind.mean, channels), persistent=False)
        self.register_buffer("std", _for_each_channel(kind.std, channels), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, C, *patch) to (B, C, *patch), for frames (B, C, S, R, A), or (3·B, C, R, R)."""
        by_channel = (-1, *[1] * (images.ndim - 2))
        x = (images - self.mean.view(by_channel)) / self.std.view(by_channel)
        if self.view == "frames":
            return x.movedim(-1, 2)  # from (B, C, R, A, S): each frame is an axial slice
        if self.view == "planes":
            middles = [x.select(axis, x.shape[axis] // 2) for axis in (4, 3, 2)]
            return torch.cat(middles)  # the axial planes of all volumes, the coronal, the sagittal
        return x


class Classifier(nn.Module):
    """A network as a body, which makes features of images, and a linear head over them.

    The head also reads K covariates, beside the features. It starts as the head that the network
    came with, and with zeros for the covariates.

    The tensors have two names each. Inside this module they begin with `body.` or `head.`. On disk
    and on cards they have the library's names, so that published weights fit: see `saved_name`.

    Args:
        kind: the row of the registry.
        network: what its builder made. This module takes its head.
        channels: the number of channels of the images.
        covariates: K, which may be 0.
    """

    def __init__(
        self,
        kind: NetworkKind,
        network: nn.Module,
        channels: int,
        covariates: int = 0,
    ) -> None:
        super().__init__()
        head = network.get_submodule(kind.head)
        if not isinstance(head, nn.Linear):
            raise TypeError(f"{kind.name}: {kind.head} is {head}, expected a linear layer")
        network.set_submodule(kind.head, nn.Identity())
        self.head_name = kind.head
        self.covariates = covariates
        self.input_step = InputStep(kind, channels)
        self.body = network
        self.head = _add_inputs(head, covariates) if covariates else head

    def forward(self, images: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Maps images (B, C, *patch) in [0, 1] and covariates (B, K) to logits (B, classes).

        Raises:
            ValueError: if there are covariates and K is 0, or none and K is not.
        """
        return self.head(self._head_inputs(images, covariates))

    def forward_by_row(self, images: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Do what `forward` does, but so that no row depends on its place in the batch.

        The product of two matrices adds up a row in another order if it begins at another place in
        memory. So the last bits of its logits differ, unless F + K is a multiple of 16.
        """
        inputs = self._head_inputs(images, covariates)
        products = inputs[:, None] * self.head.weight  # (B, classes, F + K)
        return products.sum(-1) + self.head.bias

    def _head_inputs(self, images: Tensor, covariates: Tensor | None) -> Tensor:
        """What the head reads, (B, F + K)."""
        if (covariates is not None) != bool(self.covariates):
            found = "none" if covariates is None else str(covariates.shape[-1])
            raise ValueError(f"covariates: got {found}, expected {self.covariates or 'none'}")
        features = self.features(images)
        return features if covariates is None else torch.cat([features, covariates], 1)

    def features(self, images: Tensor) -> Tensor:
        """Maps images (B, C, *patch) in [0, 1] to what the head reads of them, (B, F).

        The features of three planes are averaged. They share one body (Su et al., "Multi-view
        Convolutional Neural Networks", ICCV 2015; Setio et al., IEEE TMI 2016, for lung nodules).
        They are not channels of one image, because the channels of a pixel share one location.
        """
        features = self.body(self.input_step(images))
        if self.input_step.view == "planes":
            features = features.unflatten(0, (3, -1)).mean(0)  # from (3·B, F)
        return features

    @torch.no_grad()
    def add_to_head(self, weights: Tensor, bias: Tensor) -> None:
        """Add weights (classes, K) of the covariates and a bias (classes,) to those of the head."""
        features = self.head.in_features - self.covariates
        self.head.weight[:, features:].add_(weights)
        self.head.bias.add_(bias)

    def saved_name(self, name: str) -> str:
        """The name on disk of the parameter or buffer that is called `name` in this module."""
        part, _, rest = name.partition(".")
        return f"{self.head_name}.{rest}" if part == "head" else rest

    def is_head(self, saved_name: str) -> bool:
        """Whether the tensor with this name on disk belongs to the head."""
        return saved_name.startswith(f"{self.head_name}.")

    def parameters_saved_as(self, saved_names: Iterable[str]) -> list[str]:
        """The names in this module of those parameters that have one of these names on disk."""
        wanted = set(saved_names)
        return [name for name, _ in self.named_parameters() if self.saved_name(name) in wanted]

    def saved_tensors(self) -> dict[str, Tensor]:
        """All tensors by their names on disk, in the order of the state dict, without a copy."""
        return {self.saved_name(name): tensor for name, tensor in self.state_dict().items()}

    def load_saved_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy in tensors by their names on disk.

        Raises:
            RuntimeError: if one is missing, unknown or of another shape.
        """
        renamed = {}
        for name, tensor in tensors.items():
            rest = name.removeprefix(f"{self.head_name}.")
            renamed[f"head.{rest}" if self.is_head(name) else f"body.{name}"] = tensor
        self.load_state_dict(renamed)


def _for_each_channel(values: tuple[float, ...], channels: int) -> Tensor:
    """One value for each channel (C,): those given if there are as many, else their mean."""
    if len(values) == channels:
        return torch.tensor(values)
    return torch.tensor([sum(values) / len(values)] * channels)


def _add_inputs(head: nn.Linear, count: int) -> nn.Linear:
    """A copy of a head that has `count` more inputs, with the weight 0."""
    wider = skip_init(nn.Linear, head.in_features + count, head.out_features)
    with torch.no_grad():
        wider.weight.zero_()[:, : head.in_features] = head.weight
        wider.bias.copy_(head.bias)
    return wider
