"""Carry the weights of a trained network into a network for other classes."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from graft.common.files import InputError
from graft.data.covariates import Encoding
from graft.networks.classifier import Classifier


@dataclass(frozen=True)
class Carried:
    """Names of the tensors: loaded from the source, new in the target, left behind in the source."""

    loaded: list[str]
    new: list[str]
    left: list[str]

    def __str__(self) -> str:
        def names(tensors: list[str]) -> str:
            return f" ({', '.join(tensors)})" if tensors else ""

        return (
            f"{len(self.loaded)} tensors loaded, {len(self.new)} new{names(self.new)}, "
            f"{len(self.left)} left{names(self.left)}"
        )


def carry(source: Mapping[str, Tensor], network: Classifier, *, head: str) -> Carried:
    """Copy the tensors of `source`, by their names on disk, into `network`; the head only if `head` is "pretrained".

    Raises InputError where a tensor below the head is missing, left over or of another shape: such a
    network would train from scratch, in part or whole, and nobody would notice.
    """
    target = network.saved_tensors()
    wanted = {tensor for tensor in target if head == "pretrained" or not network.is_head(tensor)}
    offered = {tensor for tensor in source if head == "pretrained" or not network.is_head(tensor)}
    unfit = sorted(
        tensor
        for tensor in wanted | offered
        if tensor not in source
        or tensor not in target
        or source[tensor].shape != target[tensor].shape
    )
    if unfit:
        what = ", ".join(f"{t} {_shape(source, t)} for {_shape(target, t)}" for t in unfit[:3])
        raise InputError(
            f"pretrained weights: {len(unfit)} of {len(wanted)} tensors do not fit the target network "
            f"({what}{', ...' if len(unfit) > 3 else ''}); expected the same architecture"
            + (
                " and classes; finetune.head: new leaves the head behind"
                if head == "pretrained"
                else ""
            )
        )
    with torch.no_grad():
        for tensor in wanted:
            target[tensor].copy_(source[tensor])
    return Carried(sorted(wanted), sorted(set(target) - wanted), sorted(set(source) - wanted))


def same_covariates(source: Encoding, target: Encoding) -> None:
    """Raise InputError where a head that learnt with the covariates of `source` cannot read those of `target`."""
    if source.layout != target.layout:
        found, wanted = (", ".join(encoding.names) or "none" for encoding in (source, target))
        also = " with the same categories" if found == wanted else ""
        raise InputError(
            f"finetune.head: got 'pretrained', a head that learnt with the covariates {found}, but the target has "
            f"{wanted}; expected the same ones{also}, or head: new"
        )


def _shape(tensors: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(tensors[name].shape)) if name in tensors else "(missing)"
