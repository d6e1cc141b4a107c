import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, uid
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder

from graft.common.files import InputError
from graft.volumes import volume_files

NEEDS_EXTRA = (
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
)
NEEDS_NO_EXTRA = (uid.JPEG2000Lossless, uid.RLELossless)
needs_libjpeg = pytest.mark.skipif(
    importlib.util.find_spec("libjpeg") is None,
    reason="needs the extra jpeg: pip install pylibjpeg-libjpeg",
)


@pytest.fixture
def without_libjpeg(monkeypatch) -> None:
    """What pydicom sees if pylibjpeg-libjpeg is not installed."""
    for syntax in NEEDS_EXTRA:
        monkeypatch.delitem(get_decoder(syntax)._available, "pylibjpeg", raising=False)


@pytest.mark.parametrize("syntax", NEEDS_EXTRA, ids=lambda syntax: syntax.keyword)
def test_a_missing_decoder_names_its_package_and_extra(
    tmp_path, write_series, without_libjpeg, syntax
):
    def compress(made: Dataset, k: int) -> None:
        made.PixelData = encapsulate([made.PixelData])
        made["PixelData"].is_undefined_length = True

    write_series(tmp_path, change=compress, syntax=syntax, is_compressed_already=True)
    with pytest.raises(InputError) as caught:
        volume_files.read_volume(tmp_path)
    message = str(caught.value)
    installation = "the extra 'jpeg' of graft; install it with: pip install pylibjpeg-libjpeg"
    assert "cannot be read" not in message
    assert f"is compressed as {syntax.name}" in message
    assert installation in message


@pytest.mark.parametrize("syntax", NEEDS_NO_EXTRA, ids=lambda syntax: syntax.keyword)
def test_other_compressions_need_no_extra(tmp_path, write_series, without_libjpeg, syntax):
    values = write_series(tmp_path, syntax=syntax, size=(65, 64))
    assert np.array_equal(np.asarray(volume_files.read_volume(tmp_path).voxels), values)


@pytest.mark.parametrize("has_libjpeg", (pytest.param(True, marks=needs_libjpeg), False))
def test_baseline_jpeg_is_decoded_by_pillow_in_any_case(
    tmp_path, write_series, request, has_libjpeg
):
    if not has_libjpeg:
        request.getfixturevalue("without_libjpeg")
    size = (16, 24)
    rng = np.random.default_rng(0)
    planes = []

    def compress(made: Dataset, k: int) -> None:
        picture = Image.fromarray(rng.integers(0, 256, size, np.uint8))
        path = Path(tmp_path, f"{k}.jpg")
        picture.save(path, quality=90)
        planes.append(np.asarray(Image.open(path)))
        made.BitsAllocated = 8
        made.BitsStored = 8
        made.HighBit = 7
        made.PixelRepresentation = 0
        made.PixelData = encapsulate([path.read_bytes()])
        made["PixelData"].is_undefined_length = True

    write_series(
        tmp_path / "series",
        size=size,
        change=compress,
        syntax=uid.JPEGBaseline8Bit,
        rescale=lambda k: (1, 0),
        is_compressed_already=True,
    )
    found = np.asarray(volume_files.read_volume(tmp_path / "series").voxels)
    assert np.array_equal(found, np.stack(planes).T)
