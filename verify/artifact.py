"""A model on disk, with what it takes and gives; and the sidecar that says so."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from verify.signature import Signature


class Format(StrEnum):
    """The formats the project opens and makes."""

    CHECKPOINT = "checkpoint"
    ONNX = "onnx"
    SAVED_MODEL = "saved_model"
    TFLITE = "tflite"
    REFERENCE = "reference"
    """Recorded inputs and golden outputs (``reference.npz``): no model, but as good as one on these inputs."""


@dataclass(frozen=True)
class Artifact:
    """A model file (or SavedModel folder), its format, its signature and its content hash.

    ``sha256`` is over the bytes; for a folder over the sorted relative paths and bytes of its files.
    """

    path: Path
    format: Format
    signature: Signature
    sha256: str


_HASHED_AT_ONCE = 2


def sha256_of(path: Path) -> str:
    """Content hash of a file, or of a folder as its sorted relative paths and bytes."""
    digest = hashlib.sha256()
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(p for p in path.rglob("*") if p.is_file())
    with ThreadPoolExecutor(_HASHED_AT_ONCE) as threads:
        for file_path, of_one in zip(files, threads.map(sha256_of, files), strict=True):
            digest.update(file_path.relative_to(path).as_posix().encode())
            digest.update(bytes.fromhex(of_one))
    return digest.hexdigest()


def size_bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
