"""The channels of a domain's images: one of grey levels, or three of colours."""

import numpy as np

from graft.common.files import InputError
from graft.console import say

# The weights of red, green and blue in a grey level (ITU-R BT.601, as Pillow and OpenCV have them).
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def convert_channels(domain: str, images: np.ndarray, channels: str) -> np.ndarray:
    """Return images (N, C, *spatial) float16 with the channels that the parameters ask for.

    Args:
        domain: the name of the domain.
        images: as they were read: pictures have one channel if all of them are grey, else three.
        channels: `auto` keeps them as they are; `grey` is one channel, the luma of colours; `rgb`
            is three channels, equal ones for grey.

    Raises:
        InputError: if the images have neither one nor three channels.
    """
    count = images.shape[1]
    if channels == "auto" or count == {"grey": 1, "rgb": len(LUMA)}[channels]:
        return images
    if count not in (1, len(LUMA)):
        raise InputError(
            f"domains.{domain}.channels: got {channels!r}, expected auto, because the images have "
            f"{count} channels"
        )
    say(f"{domain}: {count} channels became {channels}, as domains.{domain}.channels says")
    return with_channels(images, {"grey": 1, "rgb": len(LUMA)}[channels])


def with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Return images (N, C, *spatial) with one channel, the luma, or with three equal ones.

    C must be 1 or 3, or as many as are wanted.
    """
    if images.shape[1] == channels:
        return images
    if channels == len(LUMA):
        return np.repeat(images, len(LUMA), axis=1)
    grey = np.empty((len(images), 1, *images.shape[2:]), np.float16)
    for row, image in enumerate(images):  # one at a time, to save memory
        grey[row, 0] = np.tensordot(LUMA, image.astype(np.float32), axes=1)
    return grey
