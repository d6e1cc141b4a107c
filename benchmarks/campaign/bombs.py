"""Files that claim or contain far more than they should, small on the disk."""

import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

import nibabel
import numpy as np

BLOCK = bytes(1 << 24)  # 16 MiB of zeros are 16 KiB when compressed
COPIES = 768  # 12 GiB


def gzip_bomb(path: Path) -> None:
    """A .nii.gz of 12 MB that inflates to 12 GiB."""
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    header = image.header.copy()
    header.set_data_shape((2048, 2048, 1536))
    with path.open("wb") as file:
        file.write(gzip.compress(header.binaryblock + bytes(4)))
        member = gzip.compress(BLOCK)
        for _ in range(COPIES):
            file.write(member)


def nifti_of_terabytes(path: Path) -> None:
    """A NIfTI file of 352 bytes whose header claims 70 TB."""
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4))
    header = image.header.copy()
    header.set_data_shape((32767, 32767, 32767))
    content = header.binaryblock + bytes(4)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def meta_image_of_terabytes(path: Path) -> None:
    """A MetaImage of some bytes whose header claims 125 TB."""
    path.write_bytes(
        b"ObjectType = Image\nNDims = 3\nDimSize = 50000 50000 50000\n"
        b"ElementType = MET_UCHAR\nElementDataFile = LOCAL\n" + bytes(100)
    )


def nrrd_of_terabytes(path: Path) -> None:
    """An NRRD file of some bytes whose header claims 125 TB."""
    path.write_bytes(
        b"NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\n"
        b"sizes: 50000 50000 50000\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"
        b"encoding: raw\nspace origin: (0,0,0)\n\n" + bytes(100)
    )


def meta_image_bomb(path: Path) -> None:
    """A compressed MetaImage of 2 MB that inflates to 2 GiB."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(BLOCK) for _ in range(128)) + packer.flush()
    path.write_bytes(
        b"ObjectType = Image\nNDims = 3\nDimSize = 12 12 12\nCompressedData = True\n"
        b"ElementType = MET_SHORT\nElementDataFile = LOCAL\n" + data
    )


def dicom_of_gigabytes(path: Path) -> None:
    """A DICOM slice of some bytes that claims 65,535 by 65,535 pixels."""
    from pydicom import dcmread

    slice_ = dcmread(path)
    slice_.Rows = slice_.Columns = 65_535
    slice_.save_as(path)


def safetensors_of_exabytes(path: Path) -> None:
    """A safetensors file of some bytes whose header claims to be 9 EB long."""
    path.write_bytes(struct.pack("<Q", (1 << 63) - 1) + b"{}")


def nested_brackets(path: Path) -> None:
    """A file of a million brackets, which a recursive parser follows."""
    path.write_text("[" * 1_000_000)


def yaml_bomb(path: Path) -> None:
    """A YAML file of 1 kB whose aliases stand for 10^12 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for k in range(1, 12):
        aliases = ", ".join([f"*a{k - 1}"] * 10)
        lines.append(f"a{k}: &a{k} [{aliases}]")
    path.write_text("\n".join(lines) + "\n")


def npy_header(shape: tuple[int, ...]) -> bytes:
    """The header of a .npy file of bytes with a shape."""
    text = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(text, header)
    return text.getvalue()


def npy_of_terabytes(path: Path) -> None:
    """A .npy file of some bytes whose header claims 54 TB."""
    path.write_bytes(npy_header((54 << 40, 1, 1, 1)) + bytes(100))


def npz_of_terabytes(path: Path) -> None:
    """A .npz file whose first array claims 54 TB."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("train_images.npy", npy_header((54 << 30, 32, 32)) + bytes(100))


def npz_bomb(path: Path) -> None:
    """A .npz file of 2 MB whose array has 2 GiB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("train_images.npy", "w", force_zip64=True) as array,
    ):
        array.write(npy_header((1 << 21, 32, 32)))
        for _ in range(128):
            array.write(BLOCK)


def png_bomb(path: Path) -> None:
    """A PNG file of 1 MB with 30,000 by 30,000 pixels."""
    width = height = 30_000
    packer = zlib.compressobj(9)
    row = bytes(width + 1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", data), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        checksum = struct.pack(">I", zlib.crc32(name + body))
        content += struct.pack(">I", len(body)) + name + body + checksum
    path.write_bytes(content)
