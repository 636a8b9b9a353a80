"""Where samples come from, as the user names it on a command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from verify.errors import SamplesInvalid

ARRAY_SUFFIXES = (".npz", ".npy")


@dataclass(frozen=True)
class RandomSamples:
    """Drawn from each input's declared range; sample ``i`` depends on the seed and ``i`` alone. Never runs out."""

    seed: int = 0
    kind: Literal["random"] = "random"


@dataclass(frozen=True)
class ArrayFile:
    """``.npz`` with one array an input, or ``.npy`` for a single input; the first axis counts samples."""

    path: Path
    description: str = ""
    """What the samples are, in the plural: ``synthetic inputs``; by the file's name if left out."""
    kind: Literal["arrays"] = "arrays"


@dataclass(frozen=True)
class ImageFolder:
    """Image files in a folder and its sub-folders, in the order of their relative paths."""

    path: Path
    kind: Literal["images"] = "images"


@dataclass(frozen=True)
class CallableSamples:
    """``package.module:name`` or ``file.py:name``: called without arguments, yields samples. Runs the user's code."""

    target: str
    kind: Literal["callable"] = "callable"


SampleSource = RandomSamples | ArrayFile | ImageFolder | CallableSamples


def parse_samples(text: str | None, *, seed: int = 0) -> SampleSource:
    """What a user wrote as a sample source; ``None`` and ``random`` are seeded random. Raises ``SamplesInvalid``."""
    if text is None or text == "random":
        return RandomSamples(seed)
    path = Path(text)
    if path.is_dir():
        return ImageFolder(path)
    if path.is_file() and path.suffix in ARRAY_SUFFIXES:
        return ArrayFile(path)
    place, _, name = text.rpartition(":")
    if place and name.isidentifier() and not path.exists():
        if place.endswith(".py") and not Path(place).is_file():
            raise SamplesInvalid(f"there is no file {place} to take {name} from", fix="check the path")
        return CallableSamples(text)
    found = "is neither a folder nor a .npz or .npy file" if path.exists() else "does not exist"
    raise SamplesInvalid(
        f"samples {text!r}: that {found}; expected a folder of images, a .npz or .npy file, "
        "package.module:callable, file.py:callable, or random",
        fix="check the path",
    )
