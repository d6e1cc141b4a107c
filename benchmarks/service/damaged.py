"""Damaged uploads among good ones: nothing may crash, leak, or answer another request."""

import gzip
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pydicom

from benchmarks.campaign import bombs, damage
from benchmarks.service.known import Known
from benchmarks.service.served import Served
from graft.common.seeds import generator

BROKEN = ("Traceback", "fault", "Error at ")  # in a log, of an exception that nothing caught
WRONG_NAMES = ("a.nrrd", "a.dcm", "a.png", "a")
SERIES = Path(pydicom.__file__).parent / "data/test_files/dicomdirtests/98892001/CT5N"  # a real CT
ZERO_BYTES = bytes(1 << 20)
BYTE_DAMAGE = {
    **damage.FLIPS,
    "cut": damage.cut_short,
    "empty": damage.empty,
    "block": damage.overwrite_block,
    "append": damage.append_bytes,
    "noise": damage.replace_by_noise,
}
Bombs = dict[str, tuple[str, Callable[[Path], None]]]
CLAIMS: Bombs = {
    "NIfTI of terabytes": ("a.nii", bombs.nifti_of_terabytes),
    "MetaImage of terabytes": ("a.mha", bombs.meta_image_of_terabytes),
    "NRRD of terabytes": ("a.nrrd", bombs.nrrd_of_terabytes),
    "brackets": ("a.nrrd", bombs.nested_brackets),
}
BOMBS: Bombs = {
    "gzip bomb": ("a.nii.gz", bombs.gzip_bomb),
    "MetaImage bomb": ("a.mha", bombs.meta_image_bomb),
    "PNG bomb": ("a.png", bombs.png_bomb),
}
FIELDS: dict[str, dict[str, str]] = {
    "no position": {},
    "NaN": {"x": "nan", "y": "0", "z": "0"},
    "words": {"x": "here", "y": "0", "z": "0"},
    "half a position": {"x": "1"},
    "far away": {"x": "1e300", "y": "0", "z": "0"},
    "unknown field": {"x": "0", "y": "0", "z": "0", "q": "1"},
    "frame": {"x": "0", "y": "0", "z": "0", "frame": "mars"},
    "covariates": {"x": "0", "y": "0", "z": "0", "covariates": "[" * 5000},
    "point": {"x": "0", "y": "0", "z": "0", "point": "luck"},
    "series": {"x": "0", "y": "0", "z": "0", "series": "9" * 5000},
}


@dataclass(frozen=True)
class Upload:
    """A request that should be refused: its kind, its file and its fields."""

    kind: str
    name: str
    content: bytes
    fields: dict[str, str]


@dataclass
class Outcome:
    """What became of uploads.

    Attributes:
        statuses: of damaged uploads, how many got which status.
        kinds: of damaged uploads, how many of each kind were sent.
        faults: what should not have happened.
        good: how many good requests got the right answer among them.
        sent: how many damaged uploads were sent.
    """

    statuses: Counter = field(default_factory=Counter)
    kinds: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    good: int = 0
    sent: int = 0


def attack(
    served: Served,
    known: Sequence[Known],
    numbers: range,
    at_once: int,
    bomb_files: Mapping[str, tuple[str, bytes]],
    workdir: Path,
    seed: int,
) -> Outcome:
    """Send damaged uploads, and a good request after every fourth one.

    Args:
        served: the service.
        known: good requests.
        numbers: of the damaged uploads.
        at_once: how many requests are sent at the same time.
        bomb_files: of `make_bombs`.
        workdir: for files.
        seed: of the damage.
    """
    outcome = Outcome(sent=len(numbers))

    def send(number: int) -> None:
        with served.client() as client:
            upload = make_upload(number, known, bomb_files, workdir, seed)
            _check_damaged(upload, _send(client, upload), outcome)
            if number % 4 == 0:
                _check_good(known[number // 4 % len(known)], client, outcome)

    with ThreadPoolExecutor(at_once) as threads:
        for done in [threads.submit(send, number) for number in numbers]:
            done.result()
    if served.process.poll() is not None:
        outcome.faults.append(f"the service ended with {served.process.returncode}")
    outcome.faults += [f"an upload is left: {path.name}" for path in served.uploads()]
    for line in served.log.read_text(encoding="utf-8").splitlines():
        if any(word in line for word in BROKEN):
            outcome.faults.append(f"in the log: {line}")
    return outcome


def make_upload(
    number: int,
    known: Sequence[Known],
    bomb_files: Mapping[str, tuple[str, bytes]],
    workdir: Path,
    seed: int,
) -> Upload:
    """A damaged upload: most have damaged bytes, each tenth is a bomb or has wrong fields."""
    rng = generator(seed, "damaged upload", number)
    good = known[int(rng.integers(len(known)))]
    place = dict(zip("xyz", map(str, good.position), strict=True))
    if number % 10 == 8:
        kind = sorted(bomb_files)[number // 10 % len(bomb_files)]
        return Upload(kind, *bomb_files[kind], place)
    if number % 10 == 9:
        kind = sorted(FIELDS)[number // 10 % len(FIELDS)]
        return Upload(f"fields: {kind}", good.scan.name, good.scan.read_bytes(), FIELDS[kind])
    form, name, content = _draw_form(good, rng)
    kind = sorted(BYTE_DAMAGE)[number % len(BYTE_DAMAGE)]
    path = workdir / f"upload-{number}"
    path.write_bytes(content)
    BYTE_DAMAGE[kind](path, rng)
    content = path.read_bytes()
    path.unlink()
    if rng.integers(10) == 0:
        name = WRONG_NAMES[int(rng.integers(len(WRONG_NAMES)))]
    return Upload(f"{kind} of {form}", name, content, place)


def _draw_form(good: Known, rng: np.random.Generator) -> tuple[str, str, bytes]:
    """A whole upload that will be damaged: its form, name and content."""
    content = good.scan.read_bytes()
    series = {f"SE1/{path.name}": path.read_bytes() for path in sorted(SERIES.iterdir())}
    forms = (
        (".nii.gz", "a.nii.gz", content),
        (".nii", "a.nii", gzip.decompress(content)),
        ("zip", "a.zip", _zip({"folder/a.nii.gz": content})),
        ("DICOM zip", "a.zip", _zip(series)),
    )
    return forms[int(rng.integers(len(forms)))]


def make_bombs(workdir: Path, megabytes: int, heavy: bool) -> dict[str, tuple[str, bytes]]:
    """Files that claim or contain far more than they should: name and content by kind.

    Args:
        workdir: for files.
        megabytes: that the zip bomb inflates to, in MiB.
        heavy: whether to make those that take seconds.
    """
    made = {}
    for kind, (name, write) in {**CLAIMS, **(BOMBS if heavy else {})}.items():
        path = workdir / name
        write(path)
        made[kind] = (name, path.read_bytes())
        path.unlink()
    if heavy:
        many = {f"{number}.dcm": b"" for number in range(20_000)}
        made["zip of many files"] = ("a.zip", _zip(many))
    inner = _zip({"a.nii": ZERO_BYTES})
    made["zip in a zip"] = ("a.zip", _zip({"b.zip": inner}))
    made["zip that leaves its folder"] = ("a.zip", _zip({"../../a.nii": ZERO_BYTES}))
    made["zip bomb"] = ("a.zip", _zip_bomb(megabytes))
    return made


def _zip(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, member in members.items():
            file.writestr(name, member)
    return content.getvalue()


def _zip_bomb(megabytes: int) -> bytes:
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("a.nii", "w") as member,
    ):
        for _ in range(megabytes):
            member.write(ZERO_BYTES)
    return content.getvalue()


def _send(client: httpx.Client, upload: Upload) -> httpx.Response:
    files = {"scan": (upload.name, upload.content)}
    return client.post("/predict", files=files, data=upload.fields)


def _check_damaged(upload: Upload, response: httpx.Response, outcome: Outcome) -> None:
    status = response.status_code
    outcome.statuses[status] += 1
    outcome.kinds[upload.kind] += 1
    if status == 200:  # the damage does no harm, as in a voxel far from the lesion
        return
    text = response.text
    try:
        is_plain = list(response.json()) == ["error"]
    except ValueError:
        is_plain = False
    is_clean = is_plain and not any(word in text for word in ("Traceback", "/tmp", "\\n"))
    if not is_clean or (status >= 500 and status != 503) or status < 400:
        outcome.faults.append(f"{upload.kind}: {status} {text[:200]}")


def _check_good(good: Known, client: httpx.Client, outcome: Outcome) -> None:
    response = good.send(client)
    if good.is_answered_by(response):
        outcome.good += 1
    elif response.status_code != 503:
        outcome.faults.append(f"a good request: {response.status_code} {response.text[:200]}")
