"""Carry the weights of a trained network into a network for other classes."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from graft.common.files import InputError
from graft.common.shown import shown_key
from graft.data.covariates import Encoding
from graft.networks.classifier import Classifier

SHOWN = 3  # tensors in a message


@dataclass(frozen=True)
class Carried:
    """Names of the tensors: loaded from the source, new in the target, or left in the source."""

    loaded: list[str]
    new: list[str]
    left: list[str]

    def __str__(self) -> str:
        new = f"{len(self.new)} new{_in_brackets(self.new)}"
        left = f"{len(self.left)} left{_in_brackets(self.left)}"
        return f"{len(self.loaded)} tensors loaded, {new}, {left}"


def carry(source: Mapping[str, Tensor], network: Classifier, *, head: str) -> Carried:
    """Copy the tensors of `source` into `network`.

    Args:
        source: tensors by their names on disk.
        network: the network of the target, which changes in place.
        head: "pretrained" if the head is copied too, else "new".

    Returns:
        The names of the tensors that were copied and of those that were not.

    Raises:
        InputError: if a tensor below the head is missing, left over or of another shape. Such a
            network would silently train from scratch, in part or completely.
    """
    target = network.saved_tensors()
    wanted = set(target)
    offered = set(source)
    if head != "pretrained":
        wanted = {name for name in target if not network.is_head(name)}
        offered = {name for name in source if not network.is_head(name)}
    unfit = []
    for name in sorted(wanted | offered):
        found = _shape(source, name)
        expected_shape = _shape(target, name)
        if found != expected_shape:
            unfit.append(f"{shown_key(name)} {found} for {expected_shape}")
    if unfit:
        shown = ", ".join(unfit[:SHOWN]) + (", ..." if len(unfit) > SHOWN else "")
        expected = "the same architecture"
        if head == "pretrained":
            expected += " and classes; finetune.head: auto loads it only if they are"
        raise InputError(
            f"pretrained weights: {len(unfit)} of {len(wanted | offered)} tensors do not fit the "
            f"target network ({shown}); expected {expected}"
        )
    with torch.no_grad():
        for name in wanted:
            target[name].copy_(source[name])
    return Carried(
        loaded=sorted(wanted),
        new=sorted(set(target) - wanted),
        left=sorted(set(source) - wanted),
    )


def same_covariates(source: Encoding, target: Encoding) -> None:
    """Raise InputError if a head was trained with other covariates than the target has."""
    if source.layout != target.layout:
        found = ", ".join(source.names) or "none"
        wanted = ", ".join(target.names) or "none"
        also = " with the same categories" if found == wanted else ""
        raise InputError(
            f"finetune.head: got 'pretrained', a head that trained with the covariates {found}, "
            f"but the target has {wanted}; expected the same ones{also}, or head: auto"
        )


@torch.no_grad()
def restandardise_head(network: Classifier, source: Encoding, target: Encoding) -> None:
    """Let a head that read covariates as `source` encodes them read those of `target`.

    Both have the same layout, but the mean and the deviation of a number may differ. A number x is
    (x − m)/s to the source and t = (x − m')/s' to the target. So w·(x − m)/s is
    w·(s'/s)·t + w·(m' − m)/s, and the second term is 0 if x is unknown. The predictions stay.

    Args:
        network: with a head that was carried. It changes in place.
        source: the encoding that the head trained with.
        target: the encoding of the covariates that it will read.
    """
    weight, bias = network.head.weight, network.head.bias
    place = network.head.in_features - network.covariates  # of the column of a number
    for old, new in zip(source.columns, target.columns, strict=True):
        if old["kind"] == "number":
            shift = weight[:, place] * (new["mean"] - old["mean"]) / old["std"]  # (classes,)
            weight[:, place] *= new["std"] / old["std"]
            weight[:, place + 1] -= shift  # the column of unknown values
            bias.add_(shift)
        place += Encoding([new]).width


def _in_brackets(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def _shape(tensors: Mapping[str, Tensor], name: str) -> str:
    """The shape of a tensor as messages show it."""
    return str(tuple(tensors[name].shape)) if name in tensors else "(missing)"
