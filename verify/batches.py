"""Folders of batches: ``batch_000.npz``, ``batch_001.npz`` …, each ``{tensor name: array}`` in PyTorch layout.

Inputs are written once and read by every model; outputs go to a folder of their own under the same file names, so that
a batch's inputs and every model's outputs for it are found by one name.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]


def batch_name(index: int) -> str:
    """The file name of a batch; sorts in order up to a million batches."""
    return f"batch_{index:03d}.npz" if index < 1000 else f"batch_z{index:06d}.npz"


def batch_paths(folder: Path) -> tuple[Path, ...]:
    """The batches of a folder, in order."""
    return tuple(sorted(folder.glob("batch_*.npz")))


def write_batch(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write named arrays as ``.npz``. Any name goes, also those that ``numpy.savez`` trips over (``file``)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.save(member, np.ascontiguousarray(array), allow_pickle=False)


def read_batch(path: Path) -> dict[str, Array]:
    """Named arrays of a batch file."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def renamed(folder: Path, target: Path, names: Mapping[str, str]) -> Path:
    """The batches of a folder with their tensors renamed, in ``target``; names that are not mentioned stay."""
    for path in batch_paths(folder):
        write_batch(target / path.name, {names.get(name, name): array for name, array in read_batch(path).items()})
    return target
