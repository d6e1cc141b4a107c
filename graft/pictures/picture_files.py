"""Pictures: PNG, JPEG, TIFF and BMP files, read completely and oriented as they are shown."""

import math
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from graft.common.files import InputError, check_regular_file
from graft.common.shown import last_line

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
# Modes of Pillow with 8 bits, and the mode that each is read as.
MODES = {
    "1": "L",
    "L": "L",
    "LA": "L",
    "P": "RGB",
    "PA": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
}
# What modes of Pillow, and its names for the pixels in a file, start with for 16 bits.
GREY_16 = "I;16"
COLOUR_16 = "RGB;16"
UPRIGHT = 1  # a value of the tag Orientation
WHITE_IS_ZERO = 0  # a value of the tag PhotometricInterpretation (TIFF 6.0, section 8)
OPAQUE = 255  # a value of the alpha channel


def is_picture(path: Path) -> bool:
    """Whether a file has the suffix of a picture."""
    return path.suffix.lower() in SUFFIXES


def read_picture(path: Path) -> np.ndarray:
    """Read a picture: (rows, columns, C) uint8 or uint16, C 1 if all of it is grey, 3 in colour.

    It is turned as its EXIF orientation requires. Colour profiles and other metadata are ignored.

    Raises InputError if it is missing, damaged, of another kind, transparent or too large.
    """
    check_regular_file(path)
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
    except Exception as error:  # a damaged file makes its reader raise anything
        raise InputError(
            f"{path}: cannot be read, it may be cut short or damaged ({last_line(error)})"
        ) from error
    is_grey = (pixels == pixels[..., :1]).all()
    return pixels[..., :1] if is_grey else pixels


def _decode(path: Path) -> np.ndarray:
    """The pixels (rows, columns, 1 or 3) as they are shown."""
    content = path.read_bytes()
    Image.open(BytesIO(content), formats=FORMATS).verify()  # the checksums of a PNG
    # From memory: given a path, Pillow 13 maps an uncompressed TIFF that lies on its side with its
    # sides swapped.
    opened = Image.open(BytesIO(content), formats=FORMATS)
    if opened.width * opened.height > _max_pixels():
        raise _too_large(path)
    count = getattr(opened, "n_frames", 1)
    if count > 1:
        raise InputError(
            f"{path}: contains {count} pictures, as an animation or pages, expected one"
        )
    stored_as = _stored_as(opened)
    tags = getattr(opened, "tag_v2", {})
    is_upright = opened.getexif().get(ExifTags.Base.Orientation, UPRIGHT) == UPRIGHT
    white_is_zero = tags.get(ExifTags.Base.PhotometricInterpretation) == WHITE_IS_ZERO
    has_16_bits = ";16" in stored_as or max(tags.get(ExifTags.Base.BitsPerSample, (8,))) > 8
    image = ImageOps.exif_transpose(opened)
    _check_opaque(path, image)
    if image.mode.startswith(GREY_16):
        if white_is_zero:
            raise InputError(f"{path}: has 16 bits with white as 0, expected black as 0")
        return np.asarray(image).astype(np.uint16)[..., None]
    if image.mode not in MODES:
        raise InputError(
            f"{path}: has pixels of the mode {image.mode}, expected grey or RGB of 8 or 16 bits"
        )
    if has_16_bits:
        if not is_upright or not stored_as.startswith(COLOUR_16):
            raise InputError(
                f"{path}: has 16 bits as {stored_as}, "
                "expected RGB without alpha or rotation, or 8 bits"
            )
        return _read_16_bit_colour(path)
    pixels = np.asarray(image.convert(MODES[image.mode]))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _stored_as(image: ImageFile.ImageFile) -> str:
    """Pillow's name for the pixels as the file stores them."""
    _, _, _, arguments = image.tile[0]
    return arguments[0] if isinstance(arguments, tuple) else str(arguments)


def _check_opaque(path: Path, image: Image.Image) -> None:
    """Raise InputError if a pixel is transparent: its intensity depends on what lies behind it."""
    if not image.has_transparency_data:
        return
    if not image.mode.startswith(GREY_16):
        lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
        if lowest == OPAQUE:
            return
    raise InputError(f"{path}: is transparent in places, expected an opaque picture")


def _read_16_bit_colour(path: Path) -> np.ndarray:
    """RGB of 16 bits (rows, columns, 3) uint16, of which Pillow would keep 8."""
    import SimpleITK

    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))


def _max_pixels() -> float:
    return Image.MAX_IMAGE_PIXELS or math.inf


def _too_large(path: Path) -> InputError:
    return InputError(f"{path}: has more than {_max_pixels()} pixels, expected fewer")
