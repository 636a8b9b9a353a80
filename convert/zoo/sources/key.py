"""What a source hashes to before it is there: the part of a job's key that stands for the checkpoint."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path

from convert.workspace import code_sha256
from convert.zoo.job import Source, SourceKind
from convert.zoo.sources.errors import SourceMissing, checksum_mismatch
from convert.zoo.sources.hashes import HashMemo

RANDOM = "random"
"""The weights of an architecture by name that are drawn, not published."""


def source_key(source: Source, folder: Path, hashes: HashMemo) -> str:
    """The content address of a checkpoint, as near to its bytes as can be had without fetching it.

    A file is known by its SHA-256, and so is anything whose SHA-256 the manifest gives. A URL is known by what its
    server says of its version (an ETag, a generation, a modification time), a Hugging Face file by its commit, an
    architecture by its name, weights, seed, arguments and the versions of what builds it.

    Raises:
        SourceMissing: there is no such file.
        ChecksumMismatch: it does not hash to what the manifest says.
        SourceUnavailable: nobody answers who could say which version it is.
    """
    match source.kind:
        case SourceKind.FILE:
            return _of_file(source, folder, hashes)
        case SourceKind.TORCHVISION | SourceKind.TIMM:
            return _of_library(source)
    if source.sha256 is not None:
        return source.sha256
    if source.kind is SourceKind.HUGGING_FACE:
        from convert.zoo.sources.hugging_face import parse_location, resolved_commit

        place = parse_location(source.location)
        return _digest({"repository": place.repository, "file": place.file, "commit": resolved_commit(place)})
    from convert.zoo.sources.url import version_of

    return _digest({"url": source.location, "version": version_of(source.location)})


def _of_file(source: Source, folder: Path, hashes: HashMemo) -> str:
    path = folder / source.location
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise SourceMissing(f"{source.location} {what}", fix=f"paths in a manifest start from its folder, {folder}")
    found = hashes.sha256(path)
    if source.sha256 is not None and found != source.sha256:
        raise checksum_mismatch(source.location, source.sha256, found)
    return found


def _of_library(source: Source) -> str:
    parts: dict[str, object] = {
        "library": source.kind.value,
        "name": source.location,
        "weights": source.weights,
        "seed": source.seed,
        "arch_args": source.arch_args,
        "version": _version(source.kind.value),
    }
    if source.weights == RANDOM:
        parts |= {"inputs": source.inputs, "torch": _version("torch"), "code": code_sha256()}
    return _digest(parts)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _digest(parts: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
