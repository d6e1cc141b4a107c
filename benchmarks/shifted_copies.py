"""How many shifted copies are found in real images, and how many pairs of others are taken for one.

    python -m benchmarks.shifted_copies --data <folder>

Cuts cubes of 32 mm out of one chest CT, and again elsewhere, with subvoxel shifts; moves LIDC
nodules and adrenal glands, which lie on an empty background; and cuts sonograms. Every copy is
mirrored along one axis. A false pair is two images of different patients, or cubes of the CT that
do not overlap. The peer is the perceptual hash of ImageHash, of the middle plane as it is and
mirrored, in a loop over all pairs. --data is a folder with ct_volume, lung_lidc, adrenal and
liver_us. Takes about a minute.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import imagehash
import numpy as np
import pandas as pd
import SimpleITK
import typer
from PIL import Image
from scipy.ndimage import map_coordinates, shift

from benchmarks.comparison import Comparison, report
from benchmarks.lung_to_adrenal import VARIABLE
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.seeds import generator
from graft.console import run, say
from graft.duplicates.shifted import shifted_copies

SHIFTS = (0.0, 0.5, 4.0, 4.3, 8.0)  # voxels along each axis, of the 32 of a volume
SIDE = 32
WINDOW = (-1000, 400)
CUBES = 60  # of the CT
SHAPES = 60  # of each set of shapes
REPORTED = 4.3  # the shift of the comparison
HASH_BITS = 8  # of 64 that may differ, so that two images count as copies
NOISE = 0.02  # standard deviation, of the window

Cut = Callable[[float], list[np.ndarray]]  # the images (1, *spatial), cut out that far away


def main(
    data: Annotated[Path, typer.Option(envvar=VARIABLE, help="The folder of the real data.")],
) -> None:
    """Print the share of shifted copies that are found, and the false pairs."""
    columns = [f"{voxels:g}" for voxels in SHIFTS]
    for line in markdown_head("images", "number", *columns, "4.3, noisy", "false pairs"):
        say(line)
    for name, cut in image_sets(data):
        originals = cut(0.0)
        cells = []
        wrong = set()
        for voxels, noise in [*((voxels, 0.0) for voxels in SHIFTS), (4.3, NOISE)]:
            copies = [add_noise(image[:, ::-1], noise) for image in cut(voxels)]
            found, others = count_pairs(originals, copies)
            wrong |= others
            cells.append(f"{found / len(originals):.0%}")
            if (voxels, noise) == (REPORTED, 0.0):
                report_comparison(name, originals, copies)
        say(markdown_row(name, str(len(originals)), *cells, str(len(wrong))))


def report_comparison(
    name: str, originals: Sequence[np.ndarray], copies: Sequence[np.ndarray]
) -> None:
    """Report the share of copies that graft finds and that perceptual hashes find."""
    found, wrong = count_pairs(originals, copies)
    hashed, hashed_wrong = count_hashed_pairs(originals, copies)
    what = f"copies shifted by {REPORTED} voxels that are found: {name}"
    shares = [100 * count / len(originals) for count in (found, hashed)]
    note = f"false pairs: {len(wrong)}; of the peer: {hashed_wrong}"
    peer = "perceptual hash"
    report(Comparison(what, "%", shares[0], peer, shares[1], more_is_better=True, note=note))


def image_sets(data: Path) -> Iterator[tuple[str, Cut]]:
    """Yield the name of each set of images and the function that cuts them out."""
    yield "cubes of a chest CT", ct_cubes(data / "ct_volume/lung1_image.nrrd")
    nodules = np.load(data / "lung_lidc/volumes_1mm_32.npz")["volumes"]
    yield "LIDC nodules, on black", moved_shapes(nodules)
    glands = np.load(data / "adrenal/adrenalmnist3d.npz")["train_images"]
    yield "masks of adrenal glands", moved_shapes(glands)
    yield "sonograms of the liver, 64²", sonograms(data / "liver_us")


def count_pairs(
    originals: Sequence[np.ndarray], copies: Sequence[np.ndarray]
) -> tuple[int, set[tuple[int, int]]]:
    """Return how many copies are found, and the pairs of images that are none."""
    groups = np.repeat([0, 1], [len(originals), len(copies)])
    pairs = set()
    for pair in shifted_copies([*originals, *copies], groups):
        pairs.add((pair.first, pair.second - len(originals)))
    wrong = {(first, second) for first, second in pairs if first != second}
    return len(pairs) - len(wrong), wrong


def count_hashed_pairs(
    originals: Sequence[np.ndarray], copies: Sequence[np.ndarray]
) -> tuple[int, int]:
    """Return how many copies have a similar perceptual hash, and how many pairs that are none."""
    hashes = [hash_middle_plane(image) for image in originals]
    found = wrong = 0
    for number, copy in enumerate(copies):
        ways = (hash_middle_plane(copy), hash_middle_plane(copy[:, ::-1]))
        for other, original in enumerate(hashes):
            if min(original - way for way in ways) <= HASH_BITS:
                found += number == other
                wrong += number != other
    return found, wrong


def hash_middle_plane(image: np.ndarray) -> imagehash.ImageHash:
    """Return the perceptual hash of the middle plane of an image (1, *spatial), or of a plane."""
    plane = image[0] if image.ndim == 3 else image[0, ..., image.shape[-1] // 2]
    return imagehash.phash(Image.fromarray((np.asarray(plane, np.float32) * 255).astype(np.uint8)))


def add_noise(image: np.ndarray, deviation: float) -> np.ndarray:
    """Return an image with the same noise each time."""
    noise = generator(0, "shifted copies").standard_normal(image.shape)
    return np.clip(image + deviation * noise, 0, 1).astype(np.float16)


def ct_cubes(file: Path) -> Cut:
    """Cut cubes of 1 mm voxels, 33 mm apart, where there is something to see."""
    scan = SimpleITK.ReadImage(str(file))
    intensities = SimpleITK.GetArrayFromImage(scan).transpose(2, 1, 0).astype(np.float32)
    spacing = np.array(scan.GetSpacing())
    steps = [np.arange(30, extent - 30, SIDE + 1) for extent in intensities.shape * spacing]
    grid = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)  # mm

    def cube(centre: np.ndarray) -> np.ndarray:
        reach = np.arange(SIDE) - (SIDE - 1) / 2
        axes = [(middle + reach) / size for middle, size in zip(centre, spacing, strict=True)]
        places = np.meshgrid(*axes, indexing="ij")
        return map_coordinates(intensities, places, order=1, mode="nearest")

    centres = []
    for centre in generator(0, "cubes").permutation(grid):
        values = cube(centre)
        if values.std() > 60 and values.mean() > -900:
            centres.append(centre)
    low, high = WINDOW

    def cut(voxels: float) -> list[np.ndarray]:
        offset = voxels * np.array([1, -1, 1])
        cubes = [cube(centre + offset) for centre in centres[:CUBES]]
        return [np.clip((values - low) / (high - low), 0, 1)[None] for values in cubes]

    return cut


def moved_shapes(volumes: np.ndarray) -> Cut:
    """Move shapes (N, X, Y, Z) uint8, some of all, on their empty background."""
    chosen = volumes[:: len(volumes) // SHAPES][:SHAPES].astype(np.float32) / 255

    def cut(voxels: float) -> list[np.ndarray]:
        offset = voxels * np.array([1, -1, 1])
        return [shift(volume, offset, order=1)[None] for volume in chosen]

    return cut


def sonograms(folder: Path) -> Cut:
    """Cut planes of 64 x 64 pixels out of sonograms at a third of their size."""
    files = pd.read_csv(folder / "labels.csv")["path"]
    pictures = []
    for file in files:
        small = Image.open(folder / file).convert("L").resize((100, 75))
        pictures.append(np.asarray(small, np.float32) / 255)

    def cut(voxels: float) -> list[np.ndarray]:
        planes = []
        for picture in pictures:
            moved = shift(picture, (0, -2 * voxels), order=1)  # a quarter of 64 is 16
            planes.append(moved[5:69, 5:69][None])
        return planes

    return cut


if __name__ == "__main__":
    run(main)
