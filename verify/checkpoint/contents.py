"""What a checkpoint file holds, read without executing it: an inert object tree, and where the tensors' bytes lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from verify.checkpoint.inert_pickle import InertPickle


class Container(StrEnum):
    """The kinds of file that hold PyTorch weights, as a person calls them."""

    ZIP = "torch.save file"
    LEGACY = "legacy torch.save file"
    LEGACY_TAR = "legacy torch.save tar"
    PICKLE = "plain pickle"
    SAFETENSORS = "safetensors file"
    TORCHSCRIPT = "TorchScript archive"
    EXPORTED = "exported program (.pt2)"


@dataclass(frozen=True)
class Extent:
    """Bytes ``offset … offset + length`` of the file."""

    offset: int
    length: int


@dataclass(frozen=True)
class CompressedMember:
    """A zip member that has to be unpacked to be read."""

    name: str
    length: int


@dataclass(frozen=True)
class Contents:
    """A file's inert contents. ``storages`` says where each storage key's bytes lie."""

    path: Path
    container: Container
    pickle: InertPickle
    storages: Mapping[str, Extent | CompressedMember] = field(default_factory=dict)
    other_names: tuple[str, ...] = ()
    """Names that further pickles in the file refer to; they are read for the report only."""
