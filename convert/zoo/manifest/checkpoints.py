"""Checkpoints of a folder, read without running or loading anything: which are some, and what their nets are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from convert.zoo.manifest.source_names import CHECKPOINT_SUFFIXES
from verify.artifact import sha256_of
from verify.errors import ArchitectureUnknown, CheckpointUnreadable, InputError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, and what is known of its net without building it."""

    path: Path
    sha256: str
    architecture: str = ""
    """``torchvision:resnet18``; empty where somebody has to say more."""
    knows_itself: bool = False
    """Whether the file holds the net and only its inputs are not known: TorchScript."""
    pickled: str = ""
    """For a pickled module: why it is not loaded without being trusted."""
    note: str = ""
    """What is known, or why nothing is."""


@dataclass(frozen=True)
class LeftOut:
    """A file with a checkpoint's suffix that is none, or none to open."""

    path: Path
    why: str


def checkpoints_in(folder: Path) -> Iterator[Checkpoint | LeftOut]:
    """Every file below the folder that has a checkpoint's suffix, by path; hidden files and folders are passed over."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in CHECKPOINT_SUFFIXES and path.is_file())
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if not str(path.relative_to(folder)).isprintable():
            yield LeftOut(path, "its name cannot be written into a manifest")
            continue
        try:
            yield _opened(path)
        except InputError as error:
            yield LeftOut(path, error.what)
        except OSError as error:
            yield LeftOut(path, f"cannot be read: {error.strerror}")


def _opened(path: Path) -> Checkpoint:
    """What the file is; raises the ``InputError`` that opening it would."""
    from verify.checkpoint.contents import Container
    from verify.checkpoint.danger import pickled_module_error, refuse_hostile
    from verify.checkpoint.sniff import read_contents
    from verify.checkpoint.weights import find_weights, holds_pickled_module

    contents = read_contents(path)
    if contents is None:
        return _recognised(path, _safetensors_shapes(path))
    if contents.container is Container.EXPORTED:
        return Checkpoint(path, sha256_of(path), "an exported program", note="it brings its net and its inputs along")
    if contents.container is Container.TORCHSCRIPT:
        return Checkpoint(path, sha256_of(path), knows_itself=True, note="a TorchScript archive brings its net along")
    refuse_hostile(contents)
    found = find_weights(contents.pickle.root)
    if found is not None:
        return _recognised(path, {name: tensor.shape for name, tensor in found.tensors.items()})
    if holds_pickled_module(contents.pickle.root):
        return Checkpoint(path, sha256_of(path), pickled=pickled_module_error(contents).what)
    raise CheckpointUnreadable(f"{path.name} holds no weights", fix="give a file that has a model's state_dict")


def _recognised(path: Path, shapes: Mapping[str, Shape]) -> Checkpoint:
    from verify.checkpoint.recognise import recognise
    from verify.checkpoint.weights import spellings

    sha256 = sha256_of(path)
    try:
        found = recognise(path, [spelling for _, spelling in spellings(shapes)])
    except ArchitectureUnknown as error:
        return Checkpoint(path, sha256, note=error.what)
    classes = f", {found.classes} classes" if found.classes is not None else ""
    note = "; ".join((f"{len(found.keys)} tensors{classes}", *found.notes))
    return Checkpoint(path, sha256, found.architecture.title, note=note)


def _safetensors_shapes(path: Path) -> dict[str, Shape]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointUnreadable(f"{path.name} is truncated or damaged ({error})", fix="download it again") from error
