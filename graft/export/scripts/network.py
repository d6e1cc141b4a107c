"""The network of this bundle: a program of `torch.export`, which needs no code of its author."""

from pathlib import Path

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Maps images (B, C, *patch) in [0, 1], and covariates (B, K) if any, to probabilities.

    Args:
        path: of the program.
        calibrated: whether the probabilities are calibrated. The thresholds in metadata.json are
            for raw ones.
    """

    def __init__(self, path: str, calibrated: bool = True) -> None:
        super().__init__()
        self.program = torch.export.load(Path(path)).module()
        self.calibrated = calibrated
        self.training = False

    def forward(self, image: Tensor, covariates: Tensor | None = None) -> Tensor:
        """The probabilities (B, classes)."""
        inputs = {"image": torch.Tensor(image)}  # the program takes no MetaTensor
        if covariates is not None:
            inputs["covariates"] = torch.Tensor(covariates).flatten(1)
        calibrated, raw = self.program(**inputs)
        return calibrated if self.calibrated else raw

    def train(self, mode: bool = True) -> "Network":
        """Nothing happens: a program has no other mode."""
        return self
