"""Pictures: PNG, JPEG, TIFF and BMP files, read whole and intact, the way up that they are shown."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from graft.common.files import InputError
from graft.console import say
from graft.data.domain import Grid
from graft.ingest.intensity import to_raw

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MODES = {
    "1": "L",
    "L": "L",
    "LA": "L",
    "P": "RGB",
    "PA": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
}  # of 8 bits
DEEP_GREY, DEEP_COLOUR = (
    "I;16",
    "RGB;16",
)  # as Pillow's modes, and its names of what a file holds, begin
WHITE_IS_ZERO = 0  # a value of the tag PhotometricInterpretation (TIFF 6.0, section 8)


@dataclass(frozen=True)
class Cut:
    """What a domain takes of a picture: a patch (C, *patch) float16, and the bits and the range of its intensities."""

    patch: np.ndarray
    bits: int
    low: int
    high: int


def is_picture(path: Path) -> bool:
    """Whether a file's name ends as that of a picture."""
    return path.suffix.lower() in SUFFIXES


def patches(name: str, rows: list[tuple[str, Path]], grid: Grid) -> np.ndarray:
    """The pictures of a domain, windowed and brought to one size: (N, C, *patch) float16, C 1 if all are grey, else 3.

    A row is a picture and what an error shall say before its path.

    Raises InputError where the patch has three dimensions, a picture cannot be used or has another depth than the
    first, and where the window leaves the intensities that pictures of this depth have.
    """
    if len(grid.patch) != 2:
        raise InputError(
            f"params.yaml: preprocess.patch: got {list(grid.patch)}, expected two numbers, as {name} has pictures"
        )
    Image.init()  # before there are threads
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata, which is not used
        cuts = list(pool.map(lambda row: _cut(*row, grid), rows))
    for (where, path), cut in zip(rows, cuts):
        if cut.bits != cuts[0].bits:
            raise InputError(
                f"{where}{path}: has {cut.bits} bits and {rows[0][1]} {cuts[0].bits}, expected one depth"
            )
    most = 2 ** cuts[0].bits - 1
    if grid.intensity == "window" and (min(grid.window) < 0 or max(grid.window) > most):
        raise InputError(
            f"params.yaml: domains.{name}.window: got {list(grid.window)}, expected intensities from 0 to {most}, as "
            f"pictures of {cuts[0].bits} bits have"
        )
    say(
        f"{name}: {len(cuts)} pictures of {cuts[0].bits} bits, intensities {min(cut.low for cut in cuts)} to "
        f"{max(cut.high for cut in cuts)}; they have no spacing, so each is resized to cover {grid.patch} and cropped "
        "about its middle"
    )
    channels = [len(cut.patch) for cut in cuts]
    if max(channels) > min(channels):
        grey = f"{channels.count(1)} of {len(cuts)} pictures are grey"
        say(f"{name}: {grey}, and repeated in 3 channels beside those in colour")
    return np.stack([np.broadcast_to(cut.patch, (max(channels), *grid.patch)) for cut in cuts])


def read(path: Path) -> np.ndarray:
    """Read a picture: (rows, columns, C) uint8 or uint16, C 1 where it is grey throughout and 3 in colour.

    It is turned as its EXIF orientation says; colour profiles and all other metadata are left alone.

    Raises InputError where it is missing, broken, of another kind, transparent anywhere, or too large.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: is {'a folder' if path.exists() else 'missing'}, expected a picture"
        )
    if not is_picture(path):
        raise InputError(f"{path}: is no picture, expected one of {', '.join(SUFFIXES)}")
    try:
        pixels = _decode(path)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: cannot be read, expected a whole {', '.join(FORMATS)}") from None
    except Exception as error:  # a broken file makes its reader raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise InputError(
            f"{path}: cannot be read, it may be cut short or damaged ({reason})"
        ) from error
    grey = (pixels == pixels[..., :1]).all()
    return pixels[..., :1] if grey else pixels


def _decode(path: Path) -> np.ndarray:
    """The pixels (rows, columns, 1 or 3) as they are shown."""
    content = path.read_bytes()
    Image.open(BytesIO(content), formats=FORMATS).verify()  # the checksums of a PNG
    # From memory: given a path, Pillow 13 maps an uncompressed TIFF that lies on its side with its sides swapped.
    image = Image.open(BytesIO(content), formats=FORMATS)
    if image.width * image.height > Image.MAX_IMAGE_PIXELS:
        raise _too_large(path)
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise InputError(f"{path}: holds {frames} pictures, as an animation or pages, expected one")
    arguments, tags = image.tile[0].args, getattr(image, "tag_v2", {})
    kept = (
        arguments[0] if isinstance(arguments, tuple) else str(arguments)
    )  # how the file holds a pixel
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    white = tags.get(ExifTags.Base.PhotometricInterpretation) == WHITE_IS_ZERO
    deep = ";16" in kept or max(tags.get(ExifTags.Base.BitsPerSample, (8,))) > 8
    image = ImageOps.exif_transpose(image)
    _check_opaque(path, image)
    if image.mode.startswith(DEEP_GREY):
        if white:
            raise InputError(f"{path}: counts 16 bits from white to black, expected black as 0")
        return np.asarray(image).astype(np.uint16)[..., None]
    if image.mode not in MODES:
        raise InputError(
            f"{path}: has pixels of the mode {image.mode}, expected grey or RGB of 8 or 16 bits"
        )
    if deep:
        if turned or not kept.startswith(DEEP_COLOUR):
            raise InputError(
                f"{path}: has 16 bits as {kept}, expected RGB without alpha or rotation, or 8 bits"
            )
        return _deep_colour(path)
    pixels = np.asarray(image.convert(MODES[image.mode]))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _check_opaque(path: Path, image: Image.Image) -> None:
    """Refuse a picture with a pixel that lets another picture through: it has no intensity of its own."""
    if image.has_transparency_data:
        if (
            image.mode.startswith(DEEP_GREY)
            or image.convert("RGBA").getchannel("A").getextrema()[0] < 255
        ):
            raise InputError(
                f"{path}: is transparent in places, expected a picture that hides what is behind it"
            )


def _deep_colour(path: Path) -> np.ndarray:
    """RGB of 16 bits (rows, columns, 3) uint16, of which Pillow would keep 8."""
    import SimpleITK

    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))


def _cut(where: str, path: Path, grid: Grid) -> Cut:
    """Window a picture, then resize the middle of it that has the patch's shape: torchvision's Resize and CenterCrop."""
    try:
        pixels = read(path)
    except InputError as error:
        raise InputError(f"{where}{error}") from error
    try:
        floor, ceiling = to_raw(grid.window, grid.intensity, np.moveaxis(pixels, -1, 0))
    except InputError as error:
        raise InputError(f"{where}{path}: {error}") from error
    rows, columns = grid.patch
    height, width = pixels.shape[:2]
    scale = min(height / rows, width / columns)  # pixels of the picture to one of the patch
    high, wide = scale * rows, scale * columns
    box = ((width - wide) / 2, (height - high) / 2, (width + wide) / 2, (height + high) / 2)
    patch = np.empty((pixels.shape[2], rows, columns), np.float16)
    for channel, plane in enumerate(np.moveaxis(pixels, -1, 0)):
        windowed = ((plane.astype(np.float32) - floor) / (ceiling - floor)).clip(0, 1)
        patch[channel] = Image.fromarray(windowed).resize(
            (columns, rows), Image.Resampling.BILINEAR, box=box
        )
    if patch.min() == patch.max():
        raise InputError(
            f"{where}{path}: is {patch.max():g} everywhere after the crop and the window {[floor, ceiling]}, expected a "
            f"picture (its intensities go from {pixels.min()} to {pixels.max()})"
        )
    return Cut(patch, 8 * pixels.itemsize, int(pixels.min()), int(pixels.max()))


def _too_large(path: Path) -> InputError:
    return InputError(f"{path}: has more than {Image.MAX_IMAGE_PIXELS} pixels, expected fewer")
