import importlib.util
import locale
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
import SimpleITK
from pydicom import Dataset, dcmread, uid
from pydicom.sequence import Sequence
from scipy.spatial.transform import Rotation

from graft.common.files import InputError
from graft.data.domain import Grid
from graft.data.volume import LPS_TO_RAS, Volume
from graft.ingest import volumes
from graft.ingest.patches import cut_patch

SAMPLES = Path(pydicom.data.__file__).parent / "test_files"
OBLIQUE = Rotation.from_euler("xyz", (20, -15, 30), degrees=True).as_matrix()
LOUD = ("Loudvoice", "Gertrude", "PID-77", "slice-", "2.25.", uid.PYDICOM_ROOT_UID)


def itk(folder: Path) -> Volume:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(folder, SimpleITK.GetArrayFromImage(image).T, LPS_TO_RAS @ affine)


def fails(path: Path, message: str, series: str = "", burned_in: bool = False) -> None:
    with pytest.raises(InputError, match=message) as caught:
        volumes.read_volume(path, series, burned_in)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(f"{path}: ")
    assert not any(word in text.removeprefix(str(path)) for word in LOUD)


@pytest.mark.parametrize(
    "turn", (np.eye(3), OBLIQUE, OBLIQUE[:, [1, 2, 0]]), ids=("axial", "oblique", "turned")
)
@pytest.mark.parametrize(
    "modality, spacing, rescale",
    (
        ("CT", (0.7, 0.7), lambda k: (1, -1024)),
        ("CT", (0.9765625, 0.5), lambda k: (2, -1000 - k)),
        ("PT", (4.07, 4.07), lambda k: (f"{0.37 + k / 7:.10g}", 0)),
        ("MR", (1.2, 0.3), lambda k: (1, 0)),
    ),
)
def test_a_series_reads_as_itk_reads_it(tmp_path, write_series, turn, modality, spacing, rescale):
    numbers = [tuple(map(float, rescale(k))) for k in range(6)]
    values = write_series(
        tmp_path, modality, spacing=spacing, turn=turn, rescale=lambda k: numbers[k]
    )
    volume, other = volumes.read_volume(tmp_path), itk(tmp_path)
    assert np.array_equal(np.asarray(volume.voxels), values)
    assert np.array_equal(np.asarray(volume.voxels), other.voxels)
    assert np.abs(volume.affine - other.affine).max() < 1e-4


def test_slices_lie_where_their_positions_say(tmp_path, write_series):
    write_series(tmp_path, turn=OBLIQUE)
    volume = volumes.read_volume(tmp_path)
    # Column 3, row 5 and 2 steps of 2.5 mm up, in LPS+:
    # first + 3 · 0.8 · row + 5 · 0.7 · column + 5 · normal
    lps = np.array([-30, -20, 100]) + OBLIQUE @ (2.4, 3.5, 5.0)
    assert np.allclose(volume.to_mm(np.array([3, 5, 2])), lps * (-1, -1, 1), atol=1e-6)


def test_a_tilted_gantry_is_a_sheared_grid_and_is_cut_right(tmp_path, write_series):
    step = np.array([0, 2.5 * np.tan(np.deg2rad(20)), 2.5])
    write_series(tmp_path, count=30, size=(40, 40), spacing=(1.5, 1.5), step=step)
    read = volumes.read_volume(tmp_path)
    assert np.allclose(LPS_TO_RAS[:3, :3] @ read.affine[:3, 2], step)
    slopes = np.array([1.5, -2.0, 3.0])
    world = read.to_mm(np.stack(np.indices(read.voxels.shape), -1))
    ramp, centre = (
        Volume(tmp_path, world @ slopes, read.affine),
        read.to_mm(np.array([19.3, 21.1, 14.6])),
    )
    offsets = np.stack(np.indices((6, 7, 8)), -1) - (2.5, 3, 3.5)
    window = (float(centre @ slopes - 100), float(centre @ slopes + 100))
    patch = cut_patch(ramp, centre, Grid((6, 7, 8), (1.4, 1.5, 1.6), window))[0]
    assert np.allclose(
        patch * 200 + window[0], (centre + offsets * (1.4, 1.5, 1.6)) @ slopes, atol=0.05
    )


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
WRITABLE_SYNTAXES = [
    pytest.param(syntax, id=name, marks=NEEDS_LIBJPEG if name == "jpeg-ls" else ())
    for name, syntax in WRITABLE.items()
]


@pytest.mark.parametrize("syntax", WRITABLE_SYNTAXES)
@pytest.mark.parametrize("signed", (True, False))
def test_every_transfer_syntax_gives_the_same_values(tmp_path, write_series, syntax, signed):
    values = write_series(tmp_path, syntax=syntax, signed=signed, size=(65, 64))
    assert np.array_equal(np.asarray(volumes.read_volume(tmp_path).voxels), values)


@pytest.fixture
def kept_locale() -> Iterator[None]:
    """Restore the locale, which ITK's writer of JPEG sets to C: Python then reads ASCII."""
    kept = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, kept)


@pytest.mark.parametrize(
    "compressor",
    (
        pytest.param("JPEG", marks=NEEDS_LIBJPEG),
        "JPEG2000",
        pytest.param("JPEGLS", marks=NEEDS_LIBJPEG),
    ),
)
def test_lossless_compression_by_gdcm_is_read(tmp_path, write_series, kept_locale, compressor):
    values = write_series(tmp_path / "plain", size=(32, 32), rescale=lambda k: (1, 0))
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetUseCompression(True)
    writer.SetCompressor(compressor)
    for path in (tmp_path / "plain").iterdir():
        (tmp_path / "small").mkdir(exist_ok=True)
        writer.SetFileName(str(tmp_path / "small" / path.name))
        writer.Execute(SimpleITK.ReadImage(path))
        small, plain = dcmread(tmp_path / "small" / path.name), dcmread(path)
        assert small.file_meta.TransferSyntaxUID.is_compressed
        places = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient")
        for name in ("SeriesInstanceUID", "ImageType", *places):
            setattr(small, name, plain[name].value)
        small.save_as(tmp_path / "small" / path.name)
    assert np.array_equal(np.asarray(volumes.read_volume(tmp_path / "small").voxels), values)


def enhance(made: Dataset, positions: list[list[float]]) -> None:
    """Turn one slice into an enhanced CT whose frames have slopes of 1, 1.1, 1.2 and so on."""

    def group(name: str, **elements: object) -> Dataset:
        holder, inner = Dataset(), Dataset()
        for key, value in elements.items():
            setattr(inner, key, value)
        setattr(holder, name, Sequence([inner]))
        return holder

    shared = group("PixelMeasuresSequence", PixelSpacing=made.PixelSpacing)
    shared.update(
        group("PlaneOrientationSequence", ImageOrientationPatient=made.ImageOrientationPatient)
    )
    frames = []
    for k, position in enumerate(positions):
        frame = group("PlanePositionSequence", ImagePositionPatient=position)
        line = {"RescaleSlope": 1 + k / 10, "RescaleIntercept": -1024, "RescaleType": "HU"}
        frame.update(group("PixelValueTransformationSequence", **line))
        frames.append(frame)
    made.SOPClassUID, made.NumberOfFrames = uid.EnhancedCTImageStorage, len(positions)
    made.SharedFunctionalGroupsSequence, made.PerFrameFunctionalGroupsSequence = (
        Sequence([shared]),
        Sequence(frames),
    )
    made.PixelData = made.PixelData * len(positions)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(made, name)
    for name in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
        delattr(made, name)


@pytest.mark.parametrize("named", ("slice-01.dcm", "file without suffix"))
def test_an_enhanced_image_puts_each_frame_where_it_lies(tmp_path, write_series, named):
    heights = (7.0, 1.0, 5.0, 3.0)  # so frames 1, 3, 2, 0 from below
    places = [[-5.0, 6.0, z] for z in heights]
    stored = write_series(tmp_path, count=1, change=lambda made, k: enhance(made, places)) + 1024
    path = (tmp_path / "slice-01.dcm").rename(tmp_path / named)
    for place in (path, tmp_path):
        volume = volumes.read_volume(place)
        assert np.allclose(np.asarray(volume.voxels), stored * [1.1, 1.3, 1.2, 1.0] - 1024)
        expected = [[-0.8, 0, 0, 5], [0, -0.7, 0, -6], [0, 0, 2, 1], [0, 0, 0, 1]]
        assert np.allclose(volume.affine, expected)


def put(k: int | None = None, **elements: object):
    """A change of a series: elements of slice k, or of all; None deletes one."""

    def change(made: Dataset, at: int) -> None:
        for name, value in elements.items() if k in (None, at) else ():
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


@pytest.mark.parametrize("change, message", FAULTS, ids=[message[:50] for _, message in FAULTS])
def test_what_cannot_be_read_right_is_refused(tmp_path, write_series, change, message):
    write_series(tmp_path, change=change)
    fails(tmp_path, message)


def test_other_units_of_pet_and_a_single_slice_are_refused(tmp_path, write_series):
    write_series(tmp_path / "pet", "PT", change=put(Units="CNTS"))
    fails(tmp_path / "pet", "has the Units CNTS, expected BQML for PET")
    write_series(tmp_path / "one", count=1)
    fails(tmp_path / "one", "has one slice, expected at least two")
    fails(tmp_path / "one" / "slice-01.dcm", "has one slice")


PRIVATE = [
    (put(BurnedInAnnotation="YES"), "has the BurnedInAnnotation YES, which may show a name"),
    (put(SOPClassUID=uid.SecondaryCaptureImageStorage), "is a secondary capture or a screenshot"),
    (
        put(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]),
        "is a secondary capture or a screenshot",
    ),
    (put(ConversionType="WSD"), "is a secondary capture or a screenshot"),
]


@pytest.mark.parametrize("change, message", PRIVATE)
def test_what_may_show_a_name_is_read_where_the_domain_allows_it(
    tmp_path, write_series, change, message
):
    values = write_series(tmp_path, change=change)
    fails(tmp_path, message + ".* or the domain's burned_in: allow")
    assert np.array_equal(np.asarray(volumes.read_volume(tmp_path, burned_in=True).voxels), values)


def test_a_disc_needs_a_series_named(tmp_path, write_series):
    chest = write_series(
        tmp_path / "disc" / "A", change=put(SeriesNumber=2, SeriesInstanceUID="2.25.2")
    )
    seven = put(SeriesNumber=7, SeriesInstanceUID="2.25.7")
    head = write_series(tmp_path / "disc" / "B" / "C", "MR", count=4, size=(8, 9), change=seven)
    for path in (SAMPLES / "reportsi.dcm", SAMPLES / "dicomdirtests" / "DICOMDIR"):
        shutil.copy(path, tmp_path / "disc")
    (tmp_path / "disc" / "README").write_text("how to open this disc")
    (tmp_path / "disc" / "viewer.exe").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "disc" / ".DS_Store").write_bytes(bytes(99))
    listed = "number 2, CT, 6 slices 2.5 mm apart; number 7, MR, 4 slices 2.5 mm apart"
    fails(
        tmp_path / "disc",
        f"contains 2 series, expected the column series to name one of them: {listed}",
    )
    fails(tmp_path / "disc", f"names none of the series there, .*: {listed}", series="5")
    assert np.array_equal(np.asarray(volumes.read_volume(tmp_path / "disc", "2").voxels), chest)
    assert np.array_equal(np.asarray(volumes.read_volume(tmp_path / "disc", "2.25.7").voxels), head)
    write_series(tmp_path / "disc" / "D", change=put(SeriesNumber=2, SeriesInstanceUID="2.25.9"))
    fails(tmp_path / "disc", "names 2 of the series there", series="2")


def test_files_that_were_dicom_links_out_and_folders_of_nothing_are_refused(tmp_path, write_series):
    write_series(tmp_path / "a")
    (tmp_path / "a" / "IM01").write_bytes(bytes(300))
    fails(tmp_path / "a", "file 1 of 7, sorted by name, does not begin as DICOM does")
    (tmp_path / "a" / "IM01").unlink()
    (tmp_path / "a" / "slice-00.dcm").symlink_to(SAMPLES / "CT_small.dcm")
    fails(tmp_path / "a", "contains a link that leaves it")
    (tmp_path / "a" / "slice-00.dcm").unlink()
    (tmp_path / "a" / "more").symlink_to(tmp_path / "a")
    fails(tmp_path / "a", "contains a link to a folder")
    (tmp_path / "b").mkdir()
    fails(tmp_path / "b", "contains no files")
    (tmp_path / "b" / "notes.txt").write_text("nothing")
    fails(tmp_path / "b", "contains no DICOM images")
    (tmp_path / "c.dcm").write_text("nothing")
    fails(tmp_path / "c.dcm", "does not begin as DICOM does|contains no DICOM images")


def test_a_series_and_a_segment_are_for_dicom_alone(tmp_path):
    SimpleITK.WriteImage(SimpleITK.Image([4, 4, 4], SimpleITK.sitkInt16), tmp_path / "a.nii")
    fails(tmp_path / "a.nii", "is no DICOM, expected the column series to be empty", series="3")


def test_a_deflated_file_that_would_fill_the_memory_is_refused(tmp_path, write_series, monkeypatch):
    comment = put(ImageComments="x" * 9000)
    write_series(tmp_path, syntax=uid.DeflatedExplicitVRLittleEndian, size=(64, 64), change=comment)
    monkeypatch.setattr("graft.dicom.datasets.MAX_BYTES", 16000)
    fails(tmp_path, "inflates to more than 16000 bytes")


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
    fails(tmp_path, "has compressed pixels of .* expected 64 x 65, grey")


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
def test_one_slice_of_real_mr_reads_alike_in_every_syntax(tmp_path, syntax):
    for k in range(2):
        slice_ = dcmread(SAMPLES / f"MR_small{syntax}.dcm")
        slice_.ImagePositionPatient[2] += 5 * k
        slice_.save_as(tmp_path / f"{k}.dcm")
    found = np.asarray(volumes.read_volume(tmp_path).voxels)
    expected = dcmread(SAMPLES / "MR_small.dcm").pixel_array.T
    assert np.array_equal(found[..., 0], expected) and np.array_equal(found[..., 1], expected)


def test_compressed_pixels_without_their_transfer_syntax_are_refused(tmp_path, write_series):
    write_series(tmp_path, syntax=uid.RLELossless)
    path = tmp_path / "slice-02.dcm"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x10\x16UI"))
    fails(tmp_path, "file 2 of 6, .* has no TransferSyntaxUID")
    path.write_bytes(whole.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0"))
    fails(
        tmp_path,
        "file 2 of 6, .* has compressed PixelData and a TransferSyntaxUID without compression",
    )


@pytest.mark.filterwarnings("error")
def test_every_sample_of_pydicom_is_read_or_refused_in_one_line(capfd):
    others = (".json", ".dump", ".txt", ".icc")
    samples = sorted(
        path for path in SAMPLES.rglob("*") if path.is_file() and path.suffix not in others
    )
    assert len(samples) > 90
    for path in samples:
        try:
            volumes.read_volume(path, burned_in=True)
        except InputError as error:
            assert "\n" not in str(error) and str(error).startswith(f"{path}: ")
    assert capfd.readouterr() == ("", "")


def test_a_real_series_reads_as_itk_reads_it():
    folder = SAMPLES / "dicomdirtests" / "98892001" / "CT5N"
    volume, other = volumes.read_volume(folder), itk(folder)
    assert volume.voxels.shape == (16, 16, 5) and np.array_equal(
        np.asarray(volume.voxels), other.voxels
    )
    assert np.abs(volume.affine - other.affine).max() < 1e-6


def damage(whole: bytes, header: int, rng: np.random.Generator) -> bytes:
    """A few bytes of the header changed, or the file cut short, or both."""
    content = bytearray(whole)
    for place in rng.integers(0, header, rng.integers(1, 5)):
        content[place] = rng.integers(256)
    return bytes(content[: rng.integers(len(content))] if rng.random() < 0.3 else content)


def check_damaged(folder: Path, syntax: uid.UID, rounds: int, write_series, capfd) -> int:
    """Damage one slice of a series repeatedly; returns how often it was still read correctly."""
    values = write_series(folder, syntax=syntax, size=(32, 32))
    path = folder / "slice-02.dcm"  # the last but one along the normal
    whole = path.read_bytes()
    pixels = max(whole.rfind(b"\xe0\x7f\x10\x00"), whole.rfind(b"\x7f\xe0\x00\x10"))
    header, rng, read = pixels if pixels > 0 else len(whole), np.random.default_rng(0), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(rounds):
        path.write_bytes(damage(whole, header, rng))
        try:
            found = np.asarray(volumes.read_volume(folder).voxels)
        except InputError as error:
            assert "\n" not in str(error) and not any(
                word in str(error).removeprefix(str(folder)) for word in LOUD
            )
            continue
        harmed = dcmread(path, force=True)
        expected = values.copy()
        line = float(harmed.RescaleSlope), float(harmed.RescaleIntercept)
        stored = (
            harmed.pixel_array.T if syntax.is_deflated else values[..., 4] + 1024
        )  # deflating adds no sum
        expected[..., 4] = stored * line[0] + line[1]
        assert np.array_equal(found, expected)
        read += 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB
    assert capfd.readouterr() == ("", "")
    return read


@pytest.mark.parametrize(
    "syntax", (uid.ExplicitVRLittleEndian, *(WRITABLE[key] for key in ("implicit", "jpeg 2000")))
)
def test_damaged_files_are_refused_or_read_right(tmp_path, write_series, capfd, syntax):
    assert 5 < check_damaged(tmp_path, syntax, 70, write_series, capfd) < 65


@pytest.mark.slow
@pytest.mark.parametrize("syntax", WRITABLE_SYNTAXES)
def test_a_thousand_damaged_files_are_refused_or_read_right(tmp_path, write_series, capfd, syntax):
    check_damaged(tmp_path, syntax, 1000, write_series, capfd)
