"""A linear map of the intensities of patches, from those of a site to those of a training."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class IntensityMap:
    """Patches in [0, 1] are multiplied by `scale`, `shift` is added, and the ends are cut off."""

    scale: float
    shift: float

    def apply(self, patch: np.ndarray) -> np.ndarray:
        """Map patches of any shape, float16 as a model reads them."""
        mapped = patch.astype(np.float32) * np.float32(self.scale) + np.float32(self.shift)
        return mapped.clip(0, 1).astype(np.float16)

    def after(self, first: "IntensityMap | None") -> "IntensityMap":
        """One map that does what `first` and then this one do, but for what they cut off."""
        if first is None:
            return self
        return IntensityMap(self.scale * first.scale, self.scale * first.shift + self.shift)
