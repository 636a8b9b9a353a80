"""Which architecture a bare state_dict belongs to, from its tensors' names and shapes. Imports no torch.

All tensors but the last layer's have to agree exactly; the last layer gives the number of classes, the stem the input
channels. torchvision comes first: where timm has an architecture of the same tensors, names and maths are
torchvision's. Architectures of one library that share every tensor are told apart by the file's name or not at all.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from verify.artifact import sha256_of
from verify.checkpoint.index import Architecture, Index, Published, available_libraries, fits, load_index
from verify.checkpoint.legacy_keys import current_spellings
from verify.checkpoint.unrecognised import first_titles, nothing_fits, several_fit
from verify.errors import ArchitectureUnknown

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Recognised:
    """An architecture that fits, and how. ``keys`` leads from its tensor names to those of ``spelling``."""

    spelling: Mapping[str, Shape]
    architecture: Architecture
    classes: int | None
    input_channels: int | None
    keys: Mapping[str, str]
    dropped: tuple[str, ...] = ()
    published: Published | None = None
    notes: tuple[str, ...] = ()


def recognise(path: Path, spellings: list[Mapping[str, Shape]]) -> Recognised:
    """The architecture of a state_dict, given as shapes by name in each of its possible spellings.

    Raises ``ArchitectureUnknown`` when nothing fits, or several do and the file's name does not decide.
    """
    matches = _first_matches(spellings)
    if not matches:
        raise nothing_fits(path, spellings[-1])
    return _beside_twins(path, _the_one(path, matches))


def recognised_if_known(path: Path, spellings: list[Mapping[str, Shape]]) -> Recognised | None:
    """The same for a model that runs without being recognised: ``None`` instead of an error."""
    matches = _first_matches(spellings)
    try:
        return _beside_twins(path, _the_one(path, matches)) if matches else None
    except ArchitectureUnknown:
        return None


def _beside_twins(path: Path, match: Recognised) -> Recognised:
    """The match, unless the file is named after another architecture of timm's with the same tensors (ResNetBlur)."""
    if match.architecture.library == "timm" or "timm" not in available_libraries():
        return match
    own = match.architecture.name
    twins = [twin for twin in _matches(load_index("timm"), match.spelling) if twin.architecture.name != own]
    named = [twin for twin in twins if _names_it(path, twin.architecture) and len(twin.architecture.name) > len(own)]
    if named:
        return _the_one(path, [match, *named])
    if not twins:
        return match
    titles = first_titles([twin.architecture.title for twin in twins])
    note = f"the same tensors would also fit {titles}; if it is that, say so with --arch"
    return dataclasses.replace(match, notes=(*match.notes, note))


def _first_matches(spellings: list[Mapping[str, Shape]]) -> list[Recognised]:
    for library in available_libraries():
        index = load_index(library)
        for shapes in spellings:
            matches = list(_matches(index, shapes))
            if matches:
                return matches
    return []


def match_named(
    path: Path, architectures: list[Architecture], spellings: list[Mapping[str, Shape]]
) -> Recognised | None:
    """The match with one of these architectures (the variants of a name the user gave); ``None`` if none fits."""
    for architecture in architectures:
        index = load_index(architecture.library)
        for shapes in spellings:
            matches = [m for m in _matches(index, shapes) if m.architecture == architecture]
            if matches:
                return _the_one(path, matches)
    return None


def classes_in(architecture: Architecture, spellings: list[Mapping[str, Shape]]) -> int | None:
    """The number of classes that the head's tensors imply, whatever the other tensors are."""
    expected = load_index(architecture.library).shapes_of(architecture)
    for shapes in spellings:
        for name, dims in expected.items():
            fitting, classes, _ = fits(dims, shapes[name]) if name in shapes else (False, None, None)
            if fitting and classes is not None:
                return classes
    return None


def _matches(index: Index, shapes: Mapping[str, Shape]) -> Iterator[Recognised]:
    for keys in current_spellings(shapes):
        yield from _matches_without(index, shapes, keys, ())
        for prefixes in index.ignorable_prefixes:
            if any(name.startswith(prefixes) for name in keys):
                yield from _matches_without(index, shapes, keys, prefixes)


def _matches_without(
    index: Index, shapes: Mapping[str, Shape], keys: Mapping[str, str], prefixes: tuple[str, ...]
) -> Iterator[Recognised]:
    """Matches after tensors with these prefixes (an auxiliary head's) are dropped."""
    kept = {name: key for name, key in keys.items() if not prefixes or not name.startswith(prefixes)}
    dropped = tuple(key for name, key in keys.items() if name not in kept)
    for architecture in index.having(kept):
        if not dropped or architecture.ignored == prefixes:
            found = _fit(architecture, index.shapes_of(architecture), shapes, kept, dropped)
            if found is not None:
                yield found


def _fit(
    architecture: Architecture,
    expected: Mapping[str, str],
    shapes: Mapping[str, Shape],
    keys: Mapping[str, str],
    dropped: tuple[str, ...],
) -> Recognised | None:
    class_counts: set[int] = set()
    channels: int | None = None
    for name, dims in expected.items():
        fitting, classes, stem_channels = fits(dims, shapes[keys[name]])
        if not fitting:
            return None
        class_counts |= {classes} if classes is not None else set()
        channels = stem_channels if stem_channels is not None else channels
    if len(class_counts) > 1:
        return None
    return Recognised(shapes, architecture, next(iter(class_counts), None), channels, keys, dropped)


def _the_one(path: Path, matches: list[Recognised]) -> Recognised:
    """The match itself, or of several the one that the file's name picks."""
    published = [(match, entry) for match in matches for entry in match.architecture.published]
    for match, entry in published:
        if entry.sha256_prefix and entry.sha256_prefix in path.name and sha256_of(path).startswith(entry.sha256_prefix):
            return _with(match, entry, f"the file is the published {entry.file_name}, by its SHA-256")
    if len(matches) == 1:
        return matches[0]
    named = [match for match in matches if _names_it(path, match.architecture)]
    longest = max((len(match.architecture.name) for match in named), default=0)
    named = [match for match in named if len(match.architecture.name) == longest]
    if len(named) == 1:
        others = ", ".join(m.architecture.title for m in matches if m is not named[0])
        return _with(
            named[0],
            None,
            f"the same tensors would also fit {others}; the file's name says {named[0].architecture.name}",
        )
    raise several_fit(path, [match.architecture.title for match in matches])


def _with(match: Recognised, published: Published | None, note: str) -> Recognised:
    return dataclasses.replace(match, published=published, notes=(*match.notes, note))


def _names_it(path: Path, architecture: Architecture) -> bool:
    """Whether the file's name holds the architecture's name as a whole word, or is that of its published weights."""
    if any(path.name == entry.file_name for entry in architecture.published):
        return True
    stem = re.sub(r"[^a-z0-9]+", "_", path.stem.lower())
    return re.search(rf"(^|_){re.escape(architecture.name.lower())}(_|$)", stem) is not None
