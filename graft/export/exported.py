"""The complete model as one module, from the intensities of a patch to probabilities."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from graft.grids.intensity_map import IntensityMap
from graft.networks.saved import Model
from graft.statistics.scores import LEAST_PROBABILITY

IMAGE = "image"  # the names of inputs and outputs
COVARIATES = "covariates"
CALIBRATED = "calibrated"
PROBABILITIES = "probabilities"


class Exported(nn.Module):
    """What `Model.predict` and the temperature compute, and the window before them.

    All members of an ensemble and all mirror images are inside. The result is float32, because
    many devices that run exported models have no float64.

    Args:
        model: the trained model, on the CPU.
        temperature: by which the log-probabilities are divided to calibrate them.
        window: the intensities that become 0 and 1; None if the images are in [0, 1] already.
        bias: of each class, for the calibration; empty without one.
        intensity: how patches in [0, 1] are mapped before the networks see them.
    """

    low: Tensor
    high: Tensor
    shares: Tensor
    temperature: Tensor
    bias: Tensor

    def __init__(
        self,
        model: Model,
        temperature: float = 1.0,
        window: tuple[float, float] | None = None,
        bias: tuple[float, ...] = (),
        intensity: IntensityMap | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.networks = nn.ModuleList(model.networks)
        self.has_window = window is not None
        low, high = window or (0.0, 1.0)
        self.register_buffer("low", torch.tensor(low, dtype=torch.float32))
        self.register_buffer("high", torch.tensor(high, dtype=torch.float32))
        self.register_buffer("shares", torch.tensor(model.card["shares"], dtype=torch.float32))
        self.register_buffer("temperature", torch.tensor(temperature, dtype=torch.float32))
        added = bias or (0.0,) * len(model.card["classes"])
        self.register_buffer("bias", torch.tensor(added, dtype=torch.float32))
        self.intensity = intensity
        self.eval()

    def forward(self, image: Tensor, covariates: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Maps images (B, C, *patch) to the calibrated and the raw probabilities, (B, classes).

        Args:
            image: intensities, or values in [0, 1] without a window.
            covariates: (B, K) as `Encoding.encode` returns them, if the model needs them.
        """
        if self.has_window:
            image = ((image - self.low) / (self.high - self.low)).clamp(0, 1)
        image = image.half().float()  # as the images of a processed domain are stored
        if self.intensity is not None:
            image = (image * self.intensity.scale + self.intensity.shift).clamp(0, 1).half().float()
        views = list(self.model.views(image))
        together = torch.cat(views)  # (V * B, C, *patch): one pass keeps the exported graph small
        known = None if covariates is None else covariates.repeat(len(views), 1)
        terms = []
        for share, network in zip(self.shares, self.networks, strict=True):
            softmax = network(together, known).softmax(1)  # (V * B, classes)
            terms.append(share * softmax.unflatten(0, (len(views), -1)).mean(0))
        probabilities = torch.stack(terms).sum(0)
        logs = probabilities.clamp(min=LEAST_PROBABILITY).log()
        return (logs / self.temperature + self.bias).softmax(1), probabilities


def window_inside(preprocessing: Mapping | None) -> tuple[float, float] | None:
    """The window that an export can apply: one in raw intensities, the same for every scan.

    Percentiles and z-scores need the whole scan, and so stay outside.
    """
    if not preprocessing or preprocessing.get("intensity", "window") != "window":
        return None
    low, high = preprocessing["window"]
    return float(low), float(high)
