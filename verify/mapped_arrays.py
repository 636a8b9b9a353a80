"""The arrays of a ``.npz`` file without reading them all: ``numpy.savez`` stores them as they are in memory."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from verify.batches import Array

_LOCAL_HEADER_BYTES = 30
_LENGTHS = slice(26, 30)
"""In the header before a member of a zip: of its name and of the extra field, which stand between header and data."""


def mapped_arrays(path: Path) -> dict[str, Array]:
    """Named arrays, read-only: those stored uncompressed stay in the file until they are looked at.

    They need not be aligned in memory: copy what is handed to others. Raises what :func:`numpy.load` raises.
    """
    with np.load(path, allow_pickle=False) as archive, path.open("rb") as file:
        members = {info.filename.removesuffix(".npy"): info for info in archive.zip.infolist()}
        found = {name: _mapped(path, file, members[name]) for name in archive.files}
        return {name: archive[name] if array is None else array for name, array in found.items()}


def _mapped(path: Path, file: IO[bytes], member: zipfile.ZipInfo) -> Array | None:
    """``None`` where it is compressed, empty, or no array in one of the usual forms."""
    if member.compress_type != zipfile.ZIP_STORED:
        return None
    file.seek(member.header_offset)
    lengths = np.frombuffer(file.read(_LOCAL_HEADER_BYTES)[_LENGTHS], "<u2")
    file.seek(member.header_offset + _LOCAL_HEADER_BYTES + int(lengths.sum()))
    try:
        version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
    except ValueError:
        return None
    if version != (1, 0):
        return None
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
    if dtype.hasobject or 0 in shape:
        return None
    return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")
