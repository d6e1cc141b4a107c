import numpy as np
import pytest
from PIL import Image

from graft.explain.drawings import draw_maps
from graft.explain.saliency import SaliencyMaps


def picture(
    path, patch=(12, 12, 12), spacing=(1.0, 1.0, 1.0), signed=None, sided=False, region=None
) -> np.ndarray:
    image = np.full((1, *patch), 0.5, np.float16)
    signed = np.zeros((2, *patch), np.float32) if signed is None else signed
    maps = {"occlusion": SaliencyMaps(signed, (1,) * len(patch), sided)}
    draw_maps(path, "a case", image, maps, 1, region, spacing and list(spacing))
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_the_same_bytes_and_nothing_beside_the_picture(tmp_path):
    for name in ("a.png", "b.png"):
        picture(tmp_path / name)
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert b"Matplotlib" not in content and b"tEXt" not in content and b"tIME" not in content


def coloured(found: np.ndarray, violet: bool) -> np.ndarray:
    """Where blue exceeds green and red (violet), or red exceeds blue (orange): (rows, columns)."""
    red, green, blue = np.moveaxis(found, -1, 0)
    return (blue > green + 15) if violet else (red > blue + 15)


def test_violet_speaks_for_and_orange_against_on_the_side_where_it_lies(tmp_path):
    signed = np.zeros((2, 12, 12, 12), np.float32)
    signed[1, 9:, :, :] = 1  # towards the patient's right, which is shown left
    signed[1, :3, :, :] = -1
    found = picture(tmp_path / "a.png", signed=signed)
    columns = {violet: np.flatnonzero(coloured(found, violet).any(0)) for violet in (True, False)}
    assert len(columns[True]) and columns[True].max() < columns[False].min()
    assert (
        columns[True].min() > found.shape[1] / 2
    )  # over the second column of planes, the first is the image
    assert not coloured(picture(tmp_path / "b.png", signed=signed, sided=True), violet=False).any()


def test_up_is_the_front_and_the_head_where_there_is_a_spacing(tmp_path):
    signed = np.zeros((2, 12, 12, 12), np.float32)
    signed[1, :6, 9:, :] = 1  # in front, and not in the sagittal plane, which is that of voxel 6
    signed[1, 9:, 6, 9:] = -1  # above, in the coronal plane
    found = picture(tmp_path / "a.png", signed=signed)
    height = found.shape[0]
    front, head = (np.flatnonzero(coloured(found, violet).any(1)) for violet in (True, False))
    assert front.max() < height / 4 and height / 3 < head.min() < head.max() < height / 2 + 20


@pytest.mark.parametrize("spacing", (None, (1.0, 1.0)))
def test_two_dimensions_are_one_plane_with_the_outline_of_the_region(tmp_path, spacing):
    region = np.zeros((12, 12), bool)
    region[1:3, 1:3] = True
    plain = picture(tmp_path / "a.png", (12, 12), spacing)
    lined = picture(tmp_path / "b.png", (12, 12), spacing, region=region)
    rows, columns = np.nonzero((plain != lined).any(-1))
    assert plain.shape == lined.shape and plain.shape[0] < plain.shape[1]
    left = columns[columns < plain.shape[1] / 2].mean() < plain.shape[1] / 4
    upper = rows.mean() < plain.shape[0] / 2
    assert (left, upper) == (
        (True, True) if spacing is None else (False, False)
    )  # as the array lies; R left, A up
