"""Calibration samples one at a time, as the model takes them, and their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verify.batches import batch_paths
from verify.errors import SamplesInvalid
from verify.mapped_arrays import mapped_arrays
from verify.runners.base import Batch
from verify.runners.feed import stored_inputs
from verify.signature import Signature


@dataclass
class SampleStream:
    """Samples of ``batch_*.npz`` files or one ``.npz``, in PyTorch layout, as single rows in the model's layout.

    A model with a fixed batch size gets samples of that size. After iteration, ``count`` rows have passed.
    """

    source: Path
    signature: Signature
    max_samples: int
    count: int = 0

    def __iter__(self) -> Iterator[Batch]:
        size = _fixed_batch_size(self.signature)
        rows: list[Batch] = []
        for row in sample_rows(self.source):
            if self.count + size > self.max_samples:
                return
            rows.append(row)
            if len(rows) == size:
                sample = stored_inputs(self.signature, _joined(rows))
                rows.clear()
                self.count += size
                yield sample


def digest_of(sample: Batch) -> bytes:
    """A sample's content hash: of names, dtypes, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(sample):
        array = sample[name]
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


@dataclass
class ContentHash:
    """Of all samples, the same in any order: the sum of their own, modulo 2^256."""

    _sum: int = 0

    def add(self, digest: bytes) -> None:
        """One sample's."""
        self._sum = (self._sum + int.from_bytes(digest, "big")) % 2**256

    @property
    def sha256(self) -> str:
        """Of what has been added so far."""
        return f"{self._sum:064x}"


def _fixed_batch_size(signature: Signature) -> int:
    """1 for a dynamic batch axis, else the size that the model insists on."""
    first = [spec.shape[0] for spec in signature.inputs if spec.shape]
    return next((size for size in first if isinstance(size, int)), 1)


def sample_rows(source: Path) -> Iterator[Batch]:
    """Every sample with a batch axis of 1, in PyTorch layout, in memory of its own: one kept keeps no others."""
    for path in _files(source):
        batch = mapped_arrays(path)
        for row in range(min((array.shape[0] for array in batch.values() if array.ndim), default=0)):
            yield {name: array[row : row + 1].copy() for name, array in batch.items()}


def _joined(rows: list[Batch]) -> Batch:
    return rows[0] if len(rows) == 1 else {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _files(source: Path) -> tuple[Path, ...]:
    found = batch_paths(source) if source.is_dir() else (source,)
    if not found or not found[0].is_file():
        raise SamplesInvalid(
            f"no calibration samples at {source}: expected a folder of batch_*.npz, or one .npz file",
            fix="name its arrays after the model's inputs; the first axis is the sample",
        )
    return found
