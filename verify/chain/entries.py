"""From what the user names on a command line to the models of a chain, in order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verify.artifact import Format
from verify.errors import InputError, ModelUnreadable
from verify.opening import format_of
from verify.signature_file import FILE_NAME, read_signatures

QUANTIZED_SUFFIXES = ("float16", "dynamic_int8", "int8")
"""Of the files that ``convert`` makes from the float32 one: each is compared with that."""


@dataclass(frozen=True)
class Entry:
    """A model of a chain. ``predecessor`` is the place of the model it was made from; ``None`` for the first."""

    path: Path
    format: Format
    name: str
    """Unique in the chain."""
    predecessor: int | None


def entries_of(paths: tuple[Path, ...]) -> tuple[Entry, ...]:
    """The models in order; a folder that ``convert`` made stands for its files. Raises an ``InputError``."""
    found: list[tuple[Path, int | None]] = []
    before: int | None = None
    for path in paths:
        if _is_conversion(path):
            files = _files_of(path)
            found += [(file, before if origin is None else len(found) + origin) for file, origin in files]
            before = len(found) - 1 - sum(_is_quantized(file) for file, _ in files)
        else:
            found.append((path, before))
            before = len(found) - 1
    formats = [format_of(path) for path, _ in found]
    if Format.REFERENCE in formats[1:]:
        raise InputError(
            f"{found[formats.index(Format.REFERENCE, 1)][0]} holds inputs and the outputs that are expected for them: "
            "expected it in front of the models that are judged by it",
            fix="name the reference first: verify reference.npz model.tflite",
        )
    names = _unique_names([path for path, _ in found])
    return tuple(
        Entry(path, kind, name, predecessor)
        for (path, predecessor), kind, name in zip(found, formats, names, strict=True)
    )


def _is_conversion(path: Path) -> bool:
    return path.is_dir() and (path / FILE_NAME).is_file() and not (path / "saved_model.pb").is_file()


def _files_of(folder: Path) -> list[tuple[Path, int | None]]:
    """The folder's files that ``signature.json`` declares, each with the place of the one it was made from.

    ONNX, SavedModel, float32, then what was made from that; a model that follows the folder follows its last float one.
    """
    present = [folder / name for name in read_signatures(folder) if (folder / name).exists()]
    if not present:
        raise ModelUnreadable(
            f"{folder} holds none of the files that its {FILE_NAME} declares", fix="convert the model again"
        )
    files: list[tuple[Path, int | None]] = []
    origin: int | None = None
    for path in sorted(present, key=_rank):
        files.append((path, origin))
        if not _is_quantized(path):
            origin = len(files) - 1
    return files


def _rank(path: Path) -> tuple[int, int, str]:
    by_format = (Format.ONNX, Format.SAVED_MODEL, Format.TFLITE)
    ending = next((place for place, ending in enumerate(QUANTIZED_SUFFIXES, 1) if _ends(path, ending)), 0)
    ending = 3 if _ends(path, "int8") and not _ends(path, "dynamic_int8") else ending
    return by_format.index(format_of(path)), ending, path.name


def _is_quantized(path: Path) -> bool:
    return any(_ends(path, ending) for ending in QUANTIZED_SUFFIXES)


def _ends(path: Path, ending: str) -> bool:
    return path.stem.endswith(f"_{ending}")


def _unique_names(paths: list[Path]) -> list[str]:
    """File names; with the folder, or the whole path, where two share them; numbered where one file is named twice."""
    for naming in (lambda path: path.name, lambda path: f"{path.absolute().parent.name}/{path.name}", str):
        names = [naming(path) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [
        f"{name} ({names[:place].count(name) + 1})" if name in names[:place] else name
        for place, name in enumerate(names)
    ]
