"""Volumes as ITK reads them, to compare with."""

from pathlib import Path

import numpy as np
import SimpleITK

from graft.grids.volume import LPS_TO_RAS, Volume

SECRET = 0x5A  # every byte of a file that must not be read


def read_with_itk(path: Path) -> Volume | None:
    """The volume; None if ITK refuses it."""
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError:
        return None
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(path, SimpleITK.GetArrayFromImage(image).T, LPS_TO_RAS @ affine)


def shows_secret(volume: Volume | None) -> bool:
    """Whether most bytes of the voxels are those of a file that must not be read."""
    if volume is None:
        return False
    content = np.frombuffer(np.asarray(volume.voxels).tobytes(), np.uint8)
    return bool((content == SECRET).mean() > 0.5)
