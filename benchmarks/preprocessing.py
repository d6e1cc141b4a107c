"""The stage `preprocess` against the chain of MONAI, and against zlib on the same files.

    python -m benchmarks.preprocessing

Makes 12 scans of 512 x 512 x 200 voxels as .nii.gz, with two lesions each, and times in turn

- zlib, which only inflates them, in one thread;
- a command with the transforms of MONAI on each scan (load, orient, space, window), then a crop at
  each lesion;
- the whole command `python -m stages.preprocess`, with all cores and an empty cache;
- the same command again, with everything in its cache.

Then it reads 200 small scans, adds one, and reads again. Needs 1 GB of disk for temporary files and
takes about four minutes; run nothing else on the machine meanwhile.
"""

import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
from ruamel.yaml import YAML

from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.parallel import run_parallel
from graft.common.seeds import generator
from graft.console import run, say

ROOT = Path(__file__).parents[1]
SCANS = 12
LESIONS = 2  # of each scan
SHAPE = (512, 512, 200)
MM_PER_VOXEL = (0.75, 0.75, 1.5)
SMALL_SCANS = 200
SMALL_SHAPE = (64, 64, 64)
PATCH = (32, 32, 32)
SPACING = 1.25  # mm
WINDOW_HU = (-1000.0, 400.0)
NOISE_HU = 20.0
ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
FASTER_THAN_MONAI = 12  # times, at least
SHARE_OF_ZLIB = 0.6  # at most


def main() -> None:
    """Time all ways in one run, and print their ratios."""
    with tempfile.TemporaryDirectory(prefix="graft-") as name:
        folder = Path(name)
        write_cohort(folder, SCANS, SHAPE)
        files = sorted((folder / "raw").glob("*.nii.gz"))
        by_zlib = seconds_of(lambda: [inflate(file) for file in files])
        by_monai = seconds_of(partial(run_monai, files))
        by_graft = seconds_of(partial(run_stage, folder))
        again = seconds_of(partial(run_stage, folder))
    with tempfile.TemporaryDirectory(prefix="graft-") as name:
        folder = Path(name)
        write_cohort(folder, SMALL_SCANS, SMALL_SHAPE)
        small = seconds_of(partial(run_stage, folder))
        small_again = seconds_of(partial(run_stage, folder))
        write_scan(folder, SMALL_SHAPE, SMALL_SCANS)
        write_manifest(folder, SMALL_SCANS + 1)
        one_more = seconds_of(partial(run_stage, folder))
    for line in markdown_head(f"{SCANS} scans of {SHAPE}", "seconds", "ratio to graft"):
        say(line)
    for title, seconds in (
        ("zlib alone, one thread", by_zlib),
        ("MONAI chain", by_monai),
        (f"graft, {os.cpu_count()} cores, whole command", by_graft),
        ("graft again, nothing changed", again),
    ):
        say(markdown_row(title, f"{seconds:.2f}", f"{seconds / by_graft:.2f}"))
    for line in markdown_head(f"{SMALL_SCANS} scans of {SMALL_SHAPE}", "seconds", "ratio to first"):
        say(line)
    for title, seconds in (
        ("graft, first run", small),
        ("graft again, nothing changed", small_again),
        ("graft with one more scan", one_more),
    ):
        say(markdown_row(title, f"{seconds:.2f}", f"{seconds / small:.2f}"))
    what = f"preprocess, {SCANS} scans of {' × '.join(map(str, SHAPE))} in .nii.gz"
    note = "whole command, all cores"
    peer = "MONAI chain"
    report(
        Comparison(what, "s", by_graft, peer, by_monai, least_ratio=FASTER_THAN_MONAI, note=note)
    )
    peer = "zlib alone, one thread"
    note += f"; at most {SHARE_OF_ZLIB} times as long"
    least = 1 / SHARE_OF_ZLIB
    report(Comparison(what, "s", by_graft, peer, by_zlib, least_ratio=least, note=note))
    what = f"preprocess, one more scan than {SMALL_SCANS}"
    report(Comparison(what, "s", one_more, "without the cache", small))


def seconds_of(call: Callable[[], object]) -> float:
    """Return the duration of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def write_cohort(folder: Path, count: int, shape: tuple[int, int, int]) -> None:
    """Write a domain of so many scans, and the parameters to read it with."""
    (folder / "raw").mkdir()
    run_parallel(partial(write_scan, folder, shape), list(range(count)))
    write_manifest(folder, count)
    parameters = YAML().load(ROOT / "params.yaml")
    parameters["domains"]["lung"] |= {"path": "raw", "window": list(WINDOW_HU)}
    parameters["preprocess"] = {"patch": list(PATCH), "spacing": [SPACING] * 3}
    YAML().dump(parameters, folder / "params.yaml")


def write_scan(folder: Path, shape: tuple[int, int, int], number: int) -> None:
    """Write a body of noisy tissue with a smooth gradient, in noisy air."""
    random = generator(0, "preprocessing", number)
    axes = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    is_body = axes[0] ** 2 / 0.8 + axes[1] ** 2 / 0.5 < 1
    voxels = random.standard_normal(shape, np.float32)
    voxels *= NOISE_HU
    voxels += np.where(is_body, 40 * axes[2], -1000)
    image = nibabel.Nifti1Image(voxels.astype(np.int16), np.diag([*MM_PER_VOXEL, 1.0]))
    nibabel.save(image, folder / f"raw/{number:03}.nii.gz")


def write_manifest(folder: Path, count: int) -> None:
    """Write the manifest of so many scans."""
    lines = ["patient,image,label,frame,x,y,z"]
    for number in range(count):
        shape = nibabel.load(folder / f"raw/{number:03}.nii.gz").shape
        for lesion, place in enumerate(lesion_places(shape)):
            label = ("benign", "malignant")[lesion % 2]
            cells = ",".join(map(str, place))
            lines.append(f"p{number},{number:03}.nii.gz,{label},voxel,{cells}")
    (folder / "raw/manifest.csv").write_text("\n".join(lines) + "\n")


def lesion_places(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the voxel of each lesion of a scan."""
    parts = [(lesion + 1) / (LESIONS + 1) for lesion in range(LESIONS)]
    return [tuple(int(part * side) for side in shape) for part in parts]


def inflate(path: Path) -> int:
    """Inflate a file with zlib, and return the number of bytes."""
    return len(zlib.decompress(path.read_bytes(), ZLIB_OR_GZIP))


def cut_with_monai(path: Path) -> list[np.ndarray]:
    """Cut the patches of a scan with the transforms of MONAI on the whole scan."""
    from monai.transforms import (
        Compose,
        LoadImage,
        Orientation,
        ScaleIntensityRange,
        Spacing,
        SpatialCrop,
    )

    chain = Compose(
        [
            LoadImage(image_only=True, ensure_channel_first=True),
            Orientation("RAS"),
            Spacing((SPACING,) * 3, mode="bilinear"),
            ScaleIntensityRange(*WINDOW_HU, 0.0, 1.0, clip=True),
        ]
    )
    scan = chain(path)
    scale = np.array(MM_PER_VOXEL) / SPACING
    patches = []
    for place in lesion_places(SHAPE):
        crop = SpatialCrop(roi_center=np.rint(place * scale).astype(int), roi_size=PATCH)
        patches.append(crop(scan).numpy())
    return patches


def run_monai(files: list[Path]) -> None:
    """Run the transforms of MONAI as a command, as the stage is one."""
    program = (
        "import sys; from pathlib import Path\n"
        "from benchmarks.preprocessing import cut_with_monai\n"
        "for name in sys.argv[1:]: cut_with_monai(Path(name))"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, files)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)


def run_stage(folder: Path) -> None:
    """Run the stage as a command in a folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.preprocess", "lung"]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    run(main)
