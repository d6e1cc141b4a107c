import importlib.util
import locale
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
import SimpleITK
from pydicom import Dataset, dcmread, uid
from pydicom.sequence import Sequence
from scipy.spatial.transform import Rotation

from graft.common.files import InputError
from graft.grids.grid import Grid
from graft.grids.volume import LPS_TO_RAS, Volume
from graft.scans.patches import cut_patch
from graft.volumes import volume_files

SAMPLES = Path(pydicom.data.__file__).parent / "test_files"
OBLIQUE = Rotation.from_euler("xyz", (20, -15, 30), degrees=True).as_matrix()
# What the written files contain about a patient, and what no message may repeat.
IDENTIFYING = ("Loudvoice", "Gertrude", "PID-77", "slice-", "2.25.", uid.PYDICOM_ROOT_UID)
RESCALE = ("RescaleSlope", "RescaleIntercept", "RescaleType")
Change = Callable[[Dataset, int], None]


def read_with_itk(folder: Path) -> Volume:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    directions = np.reshape(image.GetDirection(), (3, 3))
    affine = np.eye(4)
    affine[:3, :3] = directions * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(folder, SimpleITK.GetArrayFromImage(image).T, LPS_TO_RAS @ affine)


def read_voxels(path: Path, series: str = "", burned_in: bool = False) -> np.ndarray:
    return np.asarray(volume_files.read_volume(path, series, burned_in).voxels)


def assert_message_identifies_nobody(message: str, path: Path) -> None:
    """The message is one line, and has nothing about the patient beside the path."""
    assert "\n" not in message
    without_path = message.removeprefix(str(path))
    for word in IDENTIFYING:
        assert word not in without_path


def assert_refused(path: Path, message: str, series: str = "", burned_in: bool = False) -> None:
    with pytest.raises(InputError, match=message) as caught:
        volume_files.read_volume(path, series, burned_in)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert_message_identifies_nobody(text, path)


ORIENTATIONS = {
    "axial": np.eye(3),
    "oblique": OBLIQUE,
    "other axes": OBLIQUE[:, [1, 2, 0]],
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("modality", "spacing", "rescale"),
    [
        ("CT", (0.7, 0.7), lambda k: (1, -1024)),
        ("CT", (0.9765625, 0.5), lambda k: (2, -1000 - k)),
        ("PT", (4.07, 4.07), lambda k: (float(f"{0.37 + k / 7:.10g}"), 0)),
        ("MR", (1.2, 0.3), lambda k: (1, 0)),
    ],
)
def test_a_series_is_read_as_itk_reads_it(
    tmp_path, write_series, orientation, modality, spacing, rescale
):
    numbers = []
    for k in range(6):
        slope, intercept = rescale(k)
        numbers.append((float(slope), float(intercept)))
    turn = ORIENTATIONS[orientation]
    values = write_series(
        tmp_path, modality, spacing=spacing, turn=turn, rescale=lambda k: numbers[k]
    )
    volume = volume_files.read_volume(tmp_path)
    by_itk = read_with_itk(tmp_path)
    assert np.array_equal(np.asarray(volume.voxels), values)
    assert np.array_equal(np.asarray(volume.voxels), by_itk.voxels)
    assert np.abs(volume.affine - by_itk.affine).max() < 1e-4


def test_slices_are_placed_by_their_positions(tmp_path, write_series):
    write_series(tmp_path, turn=OBLIQUE)
    volume = volume_files.read_volume(tmp_path)
    # Column 3, row 5 and 2 steps of 2.5 mm up, in LPS+:
    # first + 3 · 0.8 · row + 5 · 0.7 · column + 5 · normal
    first = np.array([-30, -20, 100])
    lps = first + OBLIQUE @ (2.4, 3.5, 5.0)
    position = volume.to_mm(np.array([3, 5, 2]))
    assert np.allclose(position, lps * (-1, -1, 1), atol=1e-6)


def test_a_tilted_gantry_gives_a_sheared_grid_that_is_cut_correctly(tmp_path, write_series):
    tilt = np.deg2rad(20)
    step = np.array([0, 2.5 * np.tan(tilt), 2.5])
    write_series(tmp_path, count=30, size=(40, 40), spacing=(1.5, 1.5), step=step)
    volume = volume_files.read_volume(tmp_path)
    assert np.allclose(LPS_TO_RAS[:3, :3] @ volume.affine[:3, 2], step)

    # A linear ramp in mm must be the same ramp in the patch.
    slopes = np.array([1.5, -2.0, 3.0])
    indices = np.stack(np.indices(volume.voxels.shape), -1)
    ramp = Volume(tmp_path, volume.to_mm(indices) @ slopes, volume.affine)
    centre = volume.to_mm(np.array([19.3, 21.1, 14.6]))
    middle = float(centre @ slopes)
    grid = Grid((6, 7, 8), (1.4, 1.5, 1.6), (middle - 100, middle + 100))

    patch = cut_patch(ramp, centre, grid)[0]

    steps = np.stack(np.indices(grid.patch), -1) - (2.5, 3, 3.5)
    positions = centre + steps * grid.spacing
    intensities = patch * 200 + middle - 100  # undoes the window
    assert np.allclose(intensities, positions @ slopes, atol=0.05)


WRITABLE = {
    "implicit": uid.ImplicitVRLittleEndian,
    "big endian": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "rle": uid.RLELossless,
    "jpeg-ls": uid.JPEGLSLossless,
    "jpeg 2000": uid.JPEG2000Lossless,
}
NEEDS_LIBJPEG = pytest.mark.skipif(
    importlib.util.find_spec("libjpeg") is None,
    reason="needs the extra jpeg: pip install pylibjpeg-libjpeg",
)
WRITABLE_SYNTAXES = []
for name, syntax in WRITABLE.items():
    marks = NEEDS_LIBJPEG if name == "jpeg-ls" else ()
    WRITABLE_SYNTAXES.append(pytest.param(syntax, id=name, marks=marks))


@pytest.mark.parametrize("syntax", WRITABLE_SYNTAXES)
@pytest.mark.parametrize("signed", (True, False))
def test_every_transfer_syntax_gives_the_same_values(tmp_path, write_series, syntax, signed):
    values = write_series(tmp_path, syntax=syntax, signed=signed, size=(65, 64))
    assert np.array_equal(read_voxels(tmp_path), values)


@pytest.fixture
def restored_locale() -> Iterator[None]:
    """Restore the locale, which ITK's writer of JPEG sets to C: Python then reads ASCII."""
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)


def compress_with_gdcm(path: Path, target: Path, compressor: str) -> None:
    """Write a compressed copy of a slice that keeps the place of its series."""
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetUseCompression(True)
    writer.SetCompressor(compressor)
    writer.SetFileName(str(target))
    writer.Execute(SimpleITK.ReadImage(path))
    plain = dcmread(path)
    compressed = dcmread(target)
    assert compressed.file_meta.TransferSyntaxUID.is_compressed
    for name in (
        "SeriesInstanceUID",
        "ImageType",
        "FrameOfReferenceUID",
        "ImagePositionPatient",
        "ImageOrientationPatient",
    ):
        setattr(compressed, name, plain[name].value)
    compressed.save_as(target)


@pytest.mark.parametrize(
    "compressor",
    (
        pytest.param("JPEG", marks=NEEDS_LIBJPEG),
        "JPEG2000",
        pytest.param("JPEGLS", marks=NEEDS_LIBJPEG),
    ),
)
def test_lossless_compression_by_gdcm_is_read(tmp_path, write_series, restored_locale, compressor):
    plain = tmp_path / "plain"
    small = tmp_path / "small"
    small.mkdir()
    values = write_series(plain, size=(32, 32), rescale=lambda k: (1, 0))
    for path in plain.iterdir():
        compress_with_gdcm(path, small / path.name, compressor)
    assert np.array_equal(read_voxels(small), values)


def functional_group(name: str, **elements: object) -> Dataset:
    """A functional group of an enhanced image: a sequence of one item."""
    item = Dataset()
    for key, value in elements.items():
        setattr(item, key, value)
    group = Dataset()
    setattr(group, name, Sequence([item]))
    return group


def enhance(made: Dataset, positions: list[list[float]]) -> None:
    """Turn one slice into an enhanced CT whose frames have slopes of 1, 1.1, 1.2 and so on."""
    orientation = made.ImageOrientationPatient
    shared = functional_group("PixelMeasuresSequence", PixelSpacing=made.PixelSpacing)
    shared.update(functional_group("PlaneOrientationSequence", ImageOrientationPatient=orientation))
    frames = []
    for k, position in enumerate(positions):
        frame = functional_group("PlanePositionSequence", ImagePositionPatient=position)
        values = functional_group(
            "PixelValueTransformationSequence",
            RescaleSlope=1 + k / 10,
            RescaleIntercept=-1024,
            RescaleType="HU",
        )
        frame.update(values)
        frames.append(frame)
    made.SOPClassUID = uid.EnhancedCTImageStorage
    made.NumberOfFrames = len(positions)
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    made.PixelData = made.PixelData * len(positions)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", *RESCALE):
        delattr(made, name)


@pytest.mark.parametrize("name", ["slice-01.dcm", "file without suffix"])
def test_an_enhanced_image_places_each_frame_by_its_position(tmp_path, write_series, name):
    heights = (7.0, 1.0, 5.0, 3.0)  # mm, so from below these are frames 1, 3, 2 and 0
    places = [[-5.0, 6.0, z] for z in heights]
    values = write_series(tmp_path, count=1, change=lambda made, k: enhance(made, places))
    stored = values + 1024
    path = (tmp_path / "slice-01.dcm").rename(tmp_path / name)

    slopes_from_below = [1.1, 1.3, 1.2, 1.0]
    affine = np.diag([-0.8, -0.7, 2, 1])
    affine[:3, 3] = (5, -6, 1)
    for place in (path, tmp_path):  # the file, and the folder that contains it
        volume = volume_files.read_volume(place)
        assert np.allclose(np.asarray(volume.voxels), stored * slopes_from_below - 1024)
        assert np.allclose(volume.affine, affine)


def put(k: int | None = None, **elements: object) -> Change:
    """A change that sets elements of slice k, or of all slices; None deletes an element."""

    def change(made: Dataset, at: int) -> None:
        if k is not None and k != at:
            return
        for name, value in elements.items():
            if value is None:
                delattr(made, name)
            else:
                setattr(made, name, value)

    return change


FAULTS = [
    (put(2, ImagePositionPatient=[-30, -20, 102.5]), "has 1 slices at the position of another"),
    (
        put(2, ImagePositionPatient=[-30, -20, 105.4]),
        "has slices 2.1 to 2.9 mm apart, .* slices may be missing",
    ),
    (put(2, ImagePositionPatient=[-29, -20, 105]), "shifted sideways"),
    (
        put(2, ImagePositionPatient=None),
        r"file 4 of 6, sorted by name, has no ImagePositionPatient",
    ),
    (
        put(2, ImagePositionPatient=[1, 2]),
        "has a ImagePositionPatient that is not 3 finite numbers",
    ),
    (put(2, ImageOrientationPatient=[1, 0, 0, 0, 0, 1]), "its slices differ in their orientation"),
    (put(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "not two directions at a right angle"),
    (put(2, PixelSpacing=[0.7, 0.7]), "its slices differ in their pixel spacing"),
    (put(PixelSpacing=[0.7, 0]), "a PixelSpacing that is not above 0"),
    (put(PixelSpacing=None), "has no PixelSpacing"),
    (put(2, Rows=10, Columns=12), "its slices differ in their rows and columns"),
    (put(2, FrameOfReferenceUID="2.25.9"), "its slices differ in their frame of reference"),
    (put(RescaleType="US"), "has the RescaleType US, expected HU for CT"),
    (put(2, RescaleSlope=None), "has no RescaleSlope"),
    (put(RescaleSlope=0), "has a RescaleSlope of 0"),
    (
        put(PhotometricInterpretation="MONOCHROME1"),
        "PhotometricInterpretation MONOCHROME1, expected MONOCHROME2",
    ),
    (
        put(PhotometricInterpretation="RGB", SamplesPerPixel=3, PlanarConfiguration=0),
        "PhotometricInterpretation RGB",
    ),
    (put(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "is a localizer"),
    (put(HighBit=11), "has 16 of 16 bits per pixel, the highest 11"),
    (put(ModalityLUTSequence=[]), "has a ModalityLUTSequence"),
    (put(2, Rows=60000, Columns=60000), "has 60000 x 60000 pixels, expected at most"),
    (
        put(Rows=4000, Columns=4000),
        r"has 240 bytes of PixelData, expected 32000000: it may be cut short",
    ),
    (put(NumberOfFrames=100000), "has 100000 frames and no position for each"),
    (put(Modality="MR"), "is no CT, MR or PET image as scanners store them, its Modality is MR"),
    (put(Modality="Gertrude"), "its Modality is not a code word"),
    (put(SOPClassUID=uid.UltrasoundImageStorage, Modality="US"), "its Modality is US"),
    (put(SOPClassUID=uid.CTImageStorage, SeriesInstanceUID=None), "has no SeriesInstanceUID"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message[:50] for _, message in FAULTS])
def test_a_series_that_cannot_be_read_correctly_is_refused(tmp_path, write_series, change, message):
    write_series(tmp_path, change=change)
    assert_refused(tmp_path, message)


def test_pet_in_other_units_is_refused(tmp_path, write_series):
    write_series(tmp_path, "PT", change=put(Units="CNTS"))
    assert_refused(tmp_path, "has the Units CNTS, expected BQML for PET")


def test_a_single_slice_is_refused(tmp_path, write_series):
    write_series(tmp_path, count=1)
    assert_refused(tmp_path, "has one slice, expected at least two")
    assert_refused(tmp_path / "slice-01.dcm", "has one slice")


MAY_SHOW_A_NAME = [
    (put(BurnedInAnnotation="YES"), "has the BurnedInAnnotation YES, which may show a name"),
    (put(SOPClassUID=uid.SecondaryCaptureImageStorage), "is a secondary capture or a screenshot"),
    (
        put(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]),
        "is a secondary capture or a screenshot",
    ),
    (put(ConversionType="WSD"), "is a secondary capture or a screenshot"),
]


@pytest.mark.parametrize(("change", "message"), MAY_SHOW_A_NAME)
def test_an_image_that_may_show_a_name_is_read_only_if_the_domain_allows_it(
    tmp_path, write_series, change, message
):
    values = write_series(tmp_path, change=change)
    assert_refused(tmp_path, message + ".* or the domain's burned_in: allow")
    assert np.array_equal(read_voxels(tmp_path, burned_in=True), values)


def numbered(number: int, series: str) -> Change:
    return put(SeriesNumber=number, SeriesInstanceUID=series)


def test_a_disc_with_two_series_needs_the_name_of_one(tmp_path, write_series):
    disc = tmp_path / "disc"
    chest = write_series(disc / "A", change=numbered(2, "2.25.2"))
    head = write_series(disc / "B" / "C", "MR", count=4, size=(8, 9), change=numbered(7, "2.25.7"))
    for path in (SAMPLES / "reportsi.dcm", SAMPLES / "dicomdirtests" / "DICOMDIR"):
        shutil.copy(path, disc)
    (disc / "README").write_text("how to open this disc")
    (disc / "viewer.exe").write_bytes(bytes(range(256)) * 4)
    (disc / ".DS_Store").write_bytes(bytes(99))

    listed = "number 2, CT, 6 slices 2.5 mm apart; number 7, MR, 4 slices 2.5 mm apart"
    expected = "contains 2 series, expected the column series to name one of them"
    assert_refused(disc, f"{expected}: {listed}")
    assert_refused(disc, f"names none of the series there, .*: {listed}", series="5")
    assert np.array_equal(read_voxels(disc, "2"), chest)
    assert np.array_equal(read_voxels(disc, "2.25.7"), head)

    write_series(disc / "D", change=numbered(2, "2.25.9"))
    assert_refused(disc, "names 2 of the series there", series="2")


def test_a_file_without_the_dicom_preamble_is_refused(tmp_path, write_series):
    folder = tmp_path / "a"
    write_series(folder)
    (folder / "IM01").write_bytes(bytes(300))
    assert_refused(folder, "file 1 of 7, sorted by name, does not begin as DICOM does")


def test_a_link_to_a_file_outside_is_refused(tmp_path, write_series):
    folder = tmp_path / "a"
    write_series(folder)
    (folder / "slice-00.dcm").symlink_to(SAMPLES / "CT_small.dcm")
    assert_refused(folder, "contains a link that leaves it")


def test_a_link_to_a_folder_is_refused(tmp_path, write_series):
    folder = tmp_path / "a"
    write_series(folder)
    (folder / "more").symlink_to(folder)
    assert_refused(folder, "contains a link to a folder")


def test_a_folder_without_dicom_images_is_refused(tmp_path):
    folder = tmp_path / "b"
    folder.mkdir()
    assert_refused(folder, "contains no files")
    (folder / "notes.txt").write_text("nothing")
    assert_refused(folder, "contains no DICOM images")


def test_a_text_file_with_the_suffix_of_dicom_is_refused(tmp_path):
    path = tmp_path / "c.dcm"
    path.write_text("nothing")
    assert_refused(path, "does not begin as DICOM does|contains no DICOM images")


def test_a_series_of_a_nifti_is_refused(tmp_path):
    path = tmp_path / "a.nii"
    SimpleITK.WriteImage(SimpleITK.Image([4, 4, 4], SimpleITK.sitkInt16), path)
    assert_refused(path, "is no DICOM, expected the column series to be empty", series="3")


def test_a_deflated_file_that_would_fill_the_memory_is_refused(tmp_path, write_series, monkeypatch):
    comment = put(ImageComments="x" * 9000)
    write_series(tmp_path, syntax=uid.DeflatedExplicitVRLittleEndian, size=(64, 64), change=comment)
    monkeypatch.setattr("graft.dicom.datasets.MAX_BYTES", 16000)
    assert_refused(tmp_path, "inflates to more than 16000 bytes")


@pytest.mark.parametrize(
    "syntax, mark, offset",
    (
        (uid.JPEG2000Lossless, b"\xff\x51", 6),
        pytest.param(uid.JPEGLSLossless, b"\xff\xf7", 5, marks=NEEDS_LIBJPEG),
    ),
)
def test_compressed_pixels_that_claim_another_size_are_not_decoded(
    tmp_path, write_series, syntax, mark, offset
):
    write_series(tmp_path, syntax=syntax, size=(64, 65))
    for path in tmp_path.iterdir():
        content = bytearray(path.read_bytes())
        content[content.index(mark, 500) + offset] = 0x7F  # of the height or width
        path.write_bytes(content)
    assert_refused(tmp_path, "has compressed pixels of .* expected 64 x 65, grey")


SYNTAXES = (
    "",
    "_RLE",
    "_bigendian",
    "_expb",
    "_implicit",
    "_jp2klossless",
    pytest.param("_jpeg_ls_lossless", marks=NEEDS_LIBJPEG),
    "_padded",
)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_real_slice_of_mr_has_the_same_values_in_every_syntax(tmp_path, syntax):
    for k in range(2):
        dataset = dcmread(SAMPLES / f"MR_small{syntax}.dcm")
        dataset.ImagePositionPatient[2] += 5 * k
        dataset.save_as(tmp_path / f"{k}.dcm")
    found = read_voxels(tmp_path)
    expected = dcmread(SAMPLES / "MR_small.dcm").pixel_array.T
    assert np.array_equal(found[..., 0], expected)
    assert np.array_equal(found[..., 1], expected)


def test_compressed_pixels_without_their_transfer_syntax_are_refused(tmp_path, write_series):
    write_series(tmp_path, syntax=uid.RLELossless)
    path = tmp_path / "slice-02.dcm"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x10\x16UI"))
    assert_refused(tmp_path, "file 2 of 6, .* has no TransferSyntaxUID")
    path.write_bytes(whole.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0"))
    assert_refused(
        tmp_path,
        "file 2 of 6, .* has compressed PixelData and a TransferSyntaxUID without compression",
    )


@pytest.mark.filterwarnings("error")
def test_every_sample_of_pydicom_is_read_or_refused_in_one_line(capfd):
    other_suffixes = (".json", ".dump", ".txt", ".icc")
    samples = []
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file() and path.suffix not in other_suffixes:
            samples.append(path)
    assert len(samples) > 90
    for path in samples:
        try:
            volume_files.read_volume(path, burned_in=True)
        except InputError as error:
            assert "\n" not in str(error)
            assert str(error).startswith(f"{path}: ")
    assert capfd.readouterr() == ("", "")


def test_a_real_series_is_read_as_itk_reads_it():
    folder = SAMPLES / "dicomdirtests" / "98892001" / "CT5N"
    volume = volume_files.read_volume(folder)
    by_itk = read_with_itk(folder)
    assert volume.voxels.shape == (16, 16, 5)
    assert np.array_equal(np.asarray(volume.voxels), by_itk.voxels)
    assert np.abs(volume.affine - by_itk.affine).max() < 1e-6


def damage(content: bytes, header: int, rng: np.random.Generator) -> bytes:
    """Change a few bytes of the header, and cut three files in ten short."""
    damaged = bytearray(content)
    for place in rng.integers(0, header, rng.integers(1, 5)):
        damaged[place] = rng.integers(256)
    if rng.random() < 0.3:
        length = rng.integers(len(damaged))
        return bytes(damaged[:length])
    return bytes(damaged)


def header_size(content: bytes) -> int:
    """The number of bytes before the tag of PixelData in either byte order, if it is readable."""
    little_endian = content.rfind(b"\xe0\x7f\x10\x00")
    big_endian = content.rfind(b"\x7f\xe0\x00\x10")
    pixels = max(little_endian, big_endian)
    return pixels if pixels > 0 else len(content)


def values_of_damaged_slice(path: Path, syntax: uid.UID, stored: np.ndarray) -> np.ndarray:
    """What a damaged slice must be read as: its stored values with its own slope and intercept."""
    dataset = dcmread(path, force=True)
    if syntax.is_deflated:  # deflating adds no checksum, so the pixels may be damaged too
        stored = dataset.pixel_array.T
    return stored * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


def peak_memory() -> int:
    """The most memory that this process has used, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def count_correct_readings(
    folder: Path, syntax: uid.UID, rounds: int, write_series: Callable[..., np.ndarray]
) -> int:
    """Damage one slice repeatedly; return how often the series was still read, and correctly."""
    values = write_series(folder, syntax=syntax, size=(32, 32))
    path = folder / "slice-02.dcm"  # the last but one along the normal
    stored = values[..., 4] + 1024
    content = path.read_bytes()
    header = header_size(content)
    rng = np.random.default_rng(0)
    memory_before = peak_memory()
    readings = 0
    for _ in range(rounds):
        path.write_bytes(damage(content, header, rng))
        try:
            found = read_voxels(folder)
        except InputError as error:
            assert_message_identifies_nobody(str(error), folder)
            continue
        expected = values.copy()
        expected[..., 4] = values_of_damaged_slice(path, syntax, stored)
        assert np.array_equal(found, expected)
        readings += 1
    assert peak_memory() - memory_before < 300_000
    return readings


@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, WRITABLE["implicit"], WRITABLE["jpeg 2000"]]
)
def test_damaged_files_are_refused_or_read_correctly(tmp_path, write_series, capfd, syntax):
    readings = count_correct_readings(tmp_path, syntax, 70, write_series)
    assert readings > 5
    assert readings < 65
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("syntax", WRITABLE_SYNTAXES)
def test_a_thousand_damaged_files_are_refused_or_read_correctly(
    tmp_path, write_series, capfd, syntax
):
    count_correct_readings(tmp_path, syntax, 1000, write_series)
    assert capfd.readouterr() == ("", "")


def test_a_pipe_in_place_of_a_slice_is_refused(tmp_path, write_series):
    write_series(tmp_path / "series")
    first = sorted((tmp_path / "series").iterdir())[0]
    first.unlink()
    os.mkfifo(first)
    with pytest.raises(InputError, match="contains a pipe or a dead link, expected files"):
        volume_files.read_volume(tmp_path / "series", "", burned_in=False)
