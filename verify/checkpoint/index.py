"""The architecture index: torchvision's and timm's architectures, tensor by tensor, shipped as data; no torch needed.

A file is gzipped JSON lines. Line 0 holds the versions it was built with and the lookup from a hash of tensor names to
the lines of architectures that have those names; the other lines hold names, or one architecture. Only the lines that
are needed are parsed. A dim is a number, ``i`` (input channels), or ``cA+B`` (``A`` times the number of classes, plus
``B``).
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verify.jsonio import from_jsonable, to_jsonable
from verify.samples import ImagePreprocessing

Literal = str | int | float | bool | None | tuple[int, ...]
LIBRARIES = ("torchvision", "timm")
_CLASS_DIM = re.compile(r"c(\d+)\+(-?\d+)")
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Published:
    """Published weights of an architecture: the file's name, the start of its SHA-256, and its preprocessing."""

    file_name: str
    sha256_prefix: str
    options: tuple[tuple[str, Literal], ...] = ()
    """Constructor options that its checkpoint implies without a tensor to show for it: ``transform_input``."""


@dataclass(frozen=True)
class Architecture:
    """One architecture of a library, with what its constructor was given.

    ``shapes`` are aligned with the tensors' names; each is comma-separated dims. ``ignored`` are prefixes of tensors
    that inference does not use (auxiliary heads). ``stem`` is the layer whose input channels vary.
    """

    library: str
    name: str
    names_line: int
    shapes: tuple[str, ...]
    task: str
    """``classification``, ``segmentation``, ``detection``, ``video`` or ``optical_flow``."""
    options: tuple[tuple[str, Literal], ...] = ()
    variant: str = ""
    """A change that no constructor option makes: ``version-1 stem``."""
    ignored: tuple[str, ...] = ()
    stem: str = ""
    preprocessing: ImagePreprocessing | None = None
    published: tuple[Published, ...] = ()

    @property
    def title(self) -> str:
        """As ``--arch`` takes it: ``torchvision:resnet18``."""
        return f"{self.library}:{self.name}"

    def same_model(self, other: Architecture) -> bool:
        return (self.library, self.name, self.variant) == (other.library, other.name, other.variant)


def names_hash(names: Iterable[str]) -> str:
    """A fingerprint of a set of tensor names."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]


def fits(dims: str, shape: tuple[int, ...]) -> tuple[bool, int | None, int | None]:
    """Whether a shape fits a pattern, and the class count and input channels that it implies."""
    pattern = dims.split(",") if dims else []
    if len(pattern) != len(shape):
        return False, None, None
    classes: int | None = None
    channels: int | None = None
    for dim, size in zip(pattern, shape, strict=True):
        if dim == "i":
            channels = size
        elif match := _CLASS_DIM.fullmatch(dim):
            factor, offset = int(match[1]), int(match[2])
            classes, rest = divmod(size - offset, factor)
            if rest or classes < 1:
                return False, None, None
        elif int(dim) != size:
            return False, None, None
    return True, classes, channels


def expected_shape(dims: str) -> str:
    """A pattern as a person reads it: ``(classes, 512)``."""
    words = [
        "classes" if _CLASS_DIM.fullmatch(dim) else "input channels" if dim == "i" else dim for dim in dims.split(",")
    ]
    return f"({', '.join(words)})"


class Index:
    """One library's architectures."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        header: dict[str, Any] = json.loads(lines[0])
        self.built_with: Mapping[str, str] = header["built_with"]
        self._lookup: Mapping[str, list[int]] = header["lookup"]
        self._by_name: Mapping[str, list[int]] = header["by_name"]
        self.ignorable_prefixes: tuple[tuple[str, ...], ...] = tuple(tuple(p) for p in header["ignorable"])
        """Sets of prefixes that some architecture's auxiliary heads have."""
        self.skipped: Mapping[str, str] = header["skipped"]

    def having(self, names: Iterable[str]) -> list[Architecture]:
        """Architectures with exactly these tensor names."""
        return [self._architecture(line) for line in self._lookup.get(names_hash(names), ())]

    def named(self, name: str) -> list[Architecture]:
        """An architecture and its variants; empty if the library has none of that name."""
        return [self._architecture(line) for line in self._by_name.get(name, ())]

    @property
    def architecture_names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def __iter__(self) -> Iterator[Architecture]:
        for lines in self._by_name.values():
            yield from (self._architecture(line) for line in lines)

    @functools.cache  # noqa: B019 - an index lives as long as the process
    def tensor_names(self, architecture: Architecture) -> tuple[str, ...]:
        return tuple(json.loads(self._lines[architecture.names_line]))

    def shapes_of(self, architecture: Architecture) -> dict[str, str]:
        """Dims by tensor name."""
        return dict(zip(self.tensor_names(architecture), architecture.shapes, strict=True))

    def _architecture(self, line: int) -> Architecture:
        data = json.loads(self._lines[line])
        data["shapes"] = data["shapes"].split(" ")
        found: Architecture = from_jsonable(Architecture, data)
        return found


def index_path(library: str) -> Path:
    """Where a library's index is shipped."""
    return _FOLDER / f"{library}.json.gz"


def available_libraries() -> tuple[str, ...]:
    """Libraries whose architectures can be built here."""
    return tuple(
        name for name in LIBRARIES if importlib.util.find_spec(name) is not None and index_path(name).is_file()
    )


@functools.cache
def load_index(library: str) -> Index:
    """A library's index, read once a process."""
    return Index(gzip.decompress(index_path(library).read_bytes()).decode().split("\n"))


def write_index(
    path: Path,
    architectures: Iterable[tuple[Architecture, tuple[str, ...]]],
    built_with: Mapping[str, str],
    skipped: Mapping[str, str],
) -> None:
    """Write architectures, each with its tensor names, as an index; the same input gives the same bytes."""
    lines: list[str] = [""]
    lookup: dict[str, list[int]] = {}
    by_name: dict[str, list[int]] = {}
    names_lines: dict[tuple[str, ...], int] = {}
    ignorable: set[tuple[str, ...]] = set()
    for architecture, names in architectures:
        if names not in names_lines:
            names_lines[names] = len(lines)
            lines.append(_compact(names))
        data = to_jsonable(architecture)
        data |= {"names_line": names_lines[names], "shapes": " ".join(architecture.shapes)}
        ignorable |= {architecture.ignored} if architecture.ignored else set()
        by_name.setdefault(architecture.name, []).append(len(lines))
        lookup.setdefault(names_hash(names), []).append(len(lines))
        lines.append(_compact(data))
    header = {
        "built_with": built_with,
        "lookup": lookup,
        "by_name": by_name,
        "ignorable": sorted(ignorable),
        "skipped": skipped,
    }
    lines[0] = _compact(header)
    path.write_bytes(gzip.compress("\n".join(lines).encode(), compresslevel=9, mtime=0))


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
