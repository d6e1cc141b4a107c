import csv
import hashlib
import os
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.duplicates.fingerprints import fingerprint_images
from graft.grids.grid import Grid
from graft.ingest.manifest import Storage, VolumeOptions, read_manifest
from graft.scans import cache, domain, files
from graft.volumes import volume_files

SCANS = 7
GRID = Grid((6, 6, 6), (1.0, 1.0, 1.0), (0.0, 1.0))
SECRET = "a secret of these tests"


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    """A manifest of seven scans with two lesions each, in no order; the first ones have a mask."""
    monkeypatch.setattr(files, "SETTLED_S", 0)
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(SCANS):
        write_scan(folder, number)
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[4:7, 4:7, 4:7] = 1
    save(folder / "mask.nii.gz", mask)
    write_manifest(folder, SCANS)
    return folder


def save(path: Path, voxels: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)


def write_scan(folder: Path, number: int) -> None:
    voxels = np.random.default_rng(number).random((12, 12, 12), np.float32)
    save(folder / f"{number}.nii.gz", voxels)


def write_manifest(folder: Path, scans: int) -> None:
    rows = []
    for lesion in range(2):
        for number in range(scans):
            mask = "mask.nii.gz" if number == lesion == 0 else ""
            place = 5 + lesion
            rows.append((f"p{number}", f"{number}.nii.gz", "ab"[lesion], place, 5, 6, mask))
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("patient", "image", "label", "x", "y", "z", "mask"))
        table.writerows(rows)


def read(raw: Path, out: str = "out", grid: Grid = GRID) -> Domain:
    storage = Storage(raw.parent / ".graft", raw.parent / out)
    storage.arrays.mkdir(exist_ok=True)
    return read_manifest(
        raw, "lung", ["a", "b"], grid, VolumeOptions(secret=SECRET, storage=storage)
    )


@pytest.fixture
def scans_read(monkeypatch) -> list[str]:
    """The names of the scans that were read so far."""
    names = []
    original = volume_files.read_volume

    def read_and_note(path, *further):
        if path.name != "mask.nii.gz":
            names.append(path.name)
        return original(path, *further)

    monkeypatch.setattr(volume_files, "read_volume", read_and_note)
    return names


def digests(folder: Path) -> list[str]:
    paths = [folder / name for name in ("images.npy", "masks.npy")]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_any_number_of_processes_gives_the_same_bytes_in_the_order_of_the_rows(raw, monkeypatch):
    monkeypatch.setattr(domain, "MIN_PARALLEL_BYTES", 0)
    found = []
    for workers in ("1", "2", "5"):
        monkeypatch.setenv("GRAFT_WORKERS", workers)
        shutil.rmtree(raw.parent / ".graft", ignore_errors=True)
        made = read(raw, workers)
        found.append((digests(raw.parent / workers), made.index.to_csv()))
    get_reusable_executor().shutdown()
    assert found[0] == found[1] == found[2]
    images = np.load(raw.parent / "5/images.npy")
    voxels = nibabel.load(raw / "3.nii.gz").get_fdata()
    for row, x in ((3, 5), (10, 6)):  # the patch lies half a voxel beside the voxels
        around = voxels[x - 3 : x + 4, 2:9, 3:10]
        halves = (around[:-1] + around[1:]) / 2
        halves = (halves[:, :-1] + halves[:, 1:]) / 2
        halves = (halves[:, :, :-1] + halves[:, :, 1:]) / 2
        assert np.allclose(images[row, 0], halves, atol=1e-3)
    assert isinstance(made.images, np.memmap)


def test_without_storage_the_same_patches_are_in_memory(raw):
    stored = read(raw)
    in_memory = read_manifest(raw, "lung", ["a", "b"], GRID)
    assert np.array_equal(stored.images, in_memory.images)
    assert np.array_equal(stored.masks, in_memory.masks)
    assert stored.index.equals(in_memory.index)
    assert np.array_equal(stored.spacings, in_memory.spacings)
    assert np.array_equal(stored.spacings, np.ones((2 * SCANS, 3)))


def test_colours_are_three_equal_channels_and_the_facts_are_those_of_the_images(raw, capsys):
    grey = read(raw, "grey").images
    storage = Storage(raw.parent / ".graft", raw.parent / "rgb")
    storage.arrays.mkdir()
    options = VolumeOptions(channels="rgb", secret=SECRET, storage=storage)
    made = read_manifest(raw, "lung", ["a", "b"], GRID, options)
    assert made.images.shape == (2 * SCANS, 3, 6, 6, 6)
    assert np.array_equal(made.images, np.repeat(grey, 3, axis=1))
    assert list(made.index["hash"]) == fingerprint_images(np.array(made.images))
    assert list(made.index["size"]) == [(image > 0).any(0).sum() for image in made.images]
    assert "lung: 1 channels became rgb, as domains.lung.channels says" in capsys.readouterr().out


def test_only_what_changed_is_read_again(raw, scans_read, capsys):
    first = read(raw)
    assert sorted(scans_read) == [f"{number}.nii.gz" for number in range(SCANS)]
    scans_read.clear()
    again = read(raw, "again")
    assert scans_read == []
    assert digests(raw.parent / "out") == digests(raw.parent / "again")
    assert again.index.equals(first.index)
    assert "lung: 7 of 7 scans were read before" in capsys.readouterr().out
    write_scan(raw, SCANS)
    write_manifest(raw, SCANS + 1)
    assert len(read(raw).index) == 2 * (SCANS + 1)
    assert scans_read == [f"{SCANS}.nii.gz"]


def test_another_grid_reads_again_and_going_back_does_not(raw, scans_read):
    read(raw)
    read(raw, grid=Grid((5, 5, 5), GRID.spacing, GRID.window))
    assert len(scans_read) == 2 * SCANS
    read(raw)
    assert len(scans_read) == 2 * SCANS


def test_another_mask_or_another_content_of_the_same_size_and_time_is_read(raw, scans_read):
    before = read(raw, "before")
    scans_read.clear()
    path = raw / "mask.nii.gz"
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[3:8, 4:7, 4:7] = 1
    save(path, mask)
    after = read(raw)
    assert scans_read == ["0.nii.gz"]
    assert not np.array_equal(before.masks, after.masks)
    scan = raw / "1.nii"
    for seed in (21, 22):
        save(scan, np.random.default_rng(seed).random((12, 12, 12), np.float32))
        os.utime(scan, (10**9, 10**9))
        text = (raw / "manifest.csv").read_text().replace("1.nii.gz", "1.nii")
        (raw / "manifest.csv").write_text(text)
        found = read(raw).images[1]
    assert scans_read[1:] == ["1.nii", "1.nii"]
    in_memory = read_manifest(raw, "lung", ["a", "b"], GRID)
    assert np.array_equal(found, in_memory.images[1])


def test_a_renamed_scan_is_not_read_again(raw, scans_read):
    read(raw)
    scans_read.clear()
    (raw / "2.nii.gz").rename(raw / "two.nii.gz")
    manifest = raw / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("2.nii.gz", "two.nii.gz"))
    read(raw)
    assert scans_read == []


def cut_short(raw: Path, number: int) -> None:
    path = raw / f"{number}.nii.gz"
    path.write_bytes(path.read_bytes()[:-9])


def test_all_bad_scans_are_named_and_only_mended_ones_are_read(raw, scans_read):
    for number in (2, 5):
        cut_short(raw, number)
    (raw / "mask.nii.gz").unlink()
    with pytest.raises(InputError) as caught:
        read(raw)
    message = str(caught.value)
    assert message.startswith(
        f"{raw}/manifest.csv: 3 of 7 scans cannot be used, the others are kept: line 2, 9: "
        f"{raw}/mask.nii.gz: is missing, expected a file; line 4, 11: {raw}/2.nii.gz: cannot be"
    )
    assert f"; line 7, 14: {raw}/5.nii.gz: cannot be read" in message
    assert "\n" not in message
    for number in (2, 5):
        write_scan(raw, number)
    scans_read.clear()
    with pytest.raises(InputError, match=r"manifest.csv:2: .*mask.nii.gz: is missing, .*lines 9"):
        read(raw)
    assert sorted(scans_read) == ["2.nii.gz", "5.nii.gz"]


def test_many_bad_scans_are_listed_in_a_file(raw):
    for number in range(SCANS):
        cut_short(raw, number)
    listing = raw.parent / ".graft/bad_scans.csv"
    with pytest.raises(InputError, match=f"7 of 7 scans .*; and 2 more, all in {listing}$"):
        read(raw)
    rows = list(csv.DictReader(listing.open()))
    assert [row["lines"] for row in rows] == [f"{line}, {line + 7}" for line in range(2, 9)]
    for number in range(SCANS):
        write_scan(raw, number)
    read(raw)
    assert not listing.exists()


def test_a_lesion_outside_its_scan_leaves_the_row_of_the_other_lesion_unnamed(raw):
    manifest = raw / "manifest.csv"
    lines = manifest.read_text().splitlines()
    lines[12] = "p4,4.nii.gz,b,99,5,6,"
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="manifest.csv:13: 4.nii.gz: the lesion at .* outside"):
        read(raw)


def test_a_damaged_entry_is_read_again(raw, scans_read, capsys):
    read(raw)
    before = digests(raw.parent / "out")
    scans_read.clear()
    path = sorted((raw.parent / ".graft").glob("*/*.scan"))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    read(raw)
    assert len(scans_read) == 1
    assert digests(raw.parent / "out") == before
    assert f"{path}: is damaged (its SHA-256 differs) and was deleted; this scan" in (
        capsys.readouterr().out
    )


def test_without_the_memory_of_files_their_content_is_compared(raw, scans_read):
    read(raw)
    scans_read.clear()
    (raw.parent / ".graft" / cache.KNOWN_FILES).unlink()
    read(raw)
    assert scans_read == []


def test_entries_that_were_not_used_for_longest_are_deleted(raw):
    for high in (1.0, 2.0, 3.0, 4.0):
        read(raw, grid=Grid(GRID.patch, GRID.spacing, (0.0, high)))
    entries = {path: path.stat() for path in (raw.parent / ".graft").glob("*/*.scan")}
    used = sorted(entries, key=lambda path: entries[path].st_mtime_ns)[-SCANS:]
    space = sum(entries[path].st_size for path in used)
    others = sum(found.st_size for found in entries.values()) - space
    assert space < others <= 2 * space


def test_the_cache_names_no_person_and_no_series(tmp_path, write_series):
    def identify(made, k: int) -> None:
        made.PatientID, made.SeriesInstanceUID = "HOSP-4711", "1.2.840.99.7"

    raw = tmp_path / "raw"
    raw.mkdir()
    write_series(raw / "ct", change=identify)
    (raw / "manifest.csv").write_text(
        "patient,image,label,frame,x,y,z\nThunderclap,ct,a,voxel,5,5,3\n"
    )
    read(raw, grid=Grid((4, 4, 4), GRID.spacing, (-2000.0, 2000.0)))
    written = [path for path in (tmp_path / ".graft").rglob("*") if path.is_file()]
    assert len(written) == 2
    for path in written:
        content = path.name.encode() + path.read_bytes()
        for secret in (b"HOSP", b"4711", b"1.2.840.99.7", b"Thunderclap", SECRET.encode()):
            assert secret not in content
        assert hashlib.sha256(b"hosp-4711").hexdigest()[:16].encode() not in content


def test_a_map_of_several_lesions_is_read_once(raw, monkeypatch):
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[3:6, 4:7, 4:7] = 1
    labels[7:10, 4:7, 4:7] = 2
    save(raw / "mask.nii.gz", labels)
    lines = ["patient,image,label,mask,segment"]
    lines += [f"p0,0.nii.gz,{'ab'[number - 1]},mask.nii.gz,{number}" for number in (1, 2)]
    (raw / "manifest.csv").write_text("\n".join(lines) + "\n")
    names = []
    original = volume_files.read_volume

    def read_and_note(path, *further):
        names.append(path.name)
        return original(path, *further)

    monkeypatch.setattr(volume_files, "read_volume", read_and_note)
    masks = read(raw).masks
    assert names == ["0.nii.gz", "mask.nii.gz"]
    assert [mask.sum() for mask in masks] == [27, 27]


def test_a_scan_that_changes_while_it_is_read_is_refused_and_a_new_one_is_not(raw, monkeypatch):
    monkeypatch.setattr(files, "SETTLED_S", 2.0)  # all files were written a moment ago
    read(raw)
    assert cache.read_known_files(raw.parent / ".graft") == {}
    original = volume_files.read_volume

    def read_and_change(path, *further):
        volume = original(path, *further)
        if path.name == "3.nii.gz":
            write_scan(raw, 30)
            (raw / "30.nii.gz").replace(path)
        return volume

    monkeypatch.setattr(volume_files, "read_volume", read_and_change)
    shutil.rmtree(raw.parent / ".graft")
    with pytest.raises(InputError, match="manifest.csv:5: .*3.nii.gz: changed while it was read"):
        read(raw)
