import numpy as np
import pytest
from PIL import Image

from graft.explain.drawings import draw_maps
from graft.explain.saliency import SaliencyMaps


def picture(
    path,
    patch=(12, 12, 12),
    spacing=(1.0, 1.0, 1.0),
    signed=None,
    one_sided=False,
    region=None,
) -> np.ndarray:
    """Draw the second of two maps on a grey image. The pixels are (rows, columns, RGB)."""
    image = np.full((1, *patch), 0.5, np.float16)
    if signed is None:
        signed = np.zeros((2, *patch), np.float32)
    step = (1,) * len(patch)
    maps = {"occlusion": SaliencyMaps(signed, step, one_sided)}
    if spacing is not None:
        spacing = list(spacing)
    draw_maps(path, "a case", image, maps, 1, region, spacing)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def violet_pixels(found: np.ndarray) -> np.ndarray:
    """Where blue exceeds green, (rows, columns)."""
    return found[..., 2] > found[..., 1] + 15


def orange_pixels(found: np.ndarray) -> np.ndarray:
    """Where red exceeds blue, (rows, columns)."""
    return found[..., 0] > found[..., 2] + 15


def test_a_picture_has_the_same_bytes_each_time_and_no_metadata(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert b"Matplotlib" not in content
    assert b"tEXt" not in content
    assert b"tIME" not in content


def test_evidence_for_is_violet_and_evidence_against_is_orange_on_its_side(tmp_path):
    signed = np.zeros((2, 12, 12, 12), np.float32)
    signed[1, 9:] = 1  # towards the patient's right, which is shown left
    signed[1, :3] = -1
    found = picture(tmp_path / "a.png", signed=signed)
    violet_columns = np.flatnonzero(violet_pixels(found).any(0))
    orange_columns = np.flatnonzero(orange_pixels(found).any(0))
    assert len(violet_columns)
    assert violet_columns.max() < orange_columns.min()
    # The planes on the left show the image alone, those on the right the map on top of it.
    assert violet_columns.min() > found.shape[1] / 2
    one_sided = picture(tmp_path / "b.png", signed=signed, one_sided=True)
    assert not orange_pixels(one_sided).any()


def test_the_front_and_the_head_are_shown_at_the_top_if_the_spacing_is_known(tmp_path):
    signed = np.zeros((2, 12, 12, 12), np.float32)
    # In front, and not in the sagittal plane, which is that of voxel 6.
    signed[1, :6, 9:, :] = 1
    # Above, in the coronal plane.
    signed[1, 9:, 6, 9:] = -1
    found = picture(tmp_path / "a.png", signed=signed)
    height = found.shape[0]
    front_rows = np.flatnonzero(violet_pixels(found).any(1))
    head_rows = np.flatnonzero(orange_pixels(found).any(1))
    assert front_rows.max() < height / 4
    assert height / 3 < head_rows.min()
    assert head_rows.min() < head_rows.max()
    assert head_rows.max() < height / 2 + 20


@pytest.mark.parametrize("spacing", (None, (1.0, 1.0)))
def test_two_dimensions_are_one_plane_with_the_outline_of_the_region(tmp_path, spacing):
    region = np.zeros((12, 12), bool)
    region[1:3, 1:3] = True
    plain = picture(tmp_path / "a.png", (12, 12), spacing)
    outlined = picture(tmp_path / "b.png", (12, 12), spacing, region=region)
    assert plain.shape == outlined.shape
    height, width, _ = plain.shape
    assert height < width
    rows, columns = np.nonzero((plain != outlined).any(-1))
    columns_of_the_image = columns[columns < width / 2]
    is_left = columns_of_the_image.mean() < width / 4
    is_upper = rows.mean() < height / 2
    if spacing is None:
        # The picture shows the array as it is stored.
        assert is_left
        assert is_upper
    else:
        # The patient's right is shown left and the front at the top, so the region moves.
        assert not is_left
        assert not is_upper
