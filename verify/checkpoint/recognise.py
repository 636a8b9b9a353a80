"""Which architecture a bare state_dict belongs to, from its tensors' names and shapes. Imports no torch.

All tensors but the last layer's have to agree exactly; the last layer gives the number of classes, the stem the input
channels. torchvision comes first: where timm has an architecture of the same tensors, names and maths are
torchvision's. Architectures of one library that share every tensor are told apart by the file's name or not at all.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from verify.artifact import sha256_of
from verify.checkpoint.index import (
    LIBRARIES,
    Architecture,
    Index,
    Published,
    expected_shape,
    fits,
    index_path,
    load_index,
)
from verify.checkpoint.legacy_keys import current_spellings
from verify.errors import ArchitectureUnknown

Shape = tuple[int, ...]
_SHOWN_CANDIDATES = 3
_SHOWN_NAMES = 8


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


@dataclass(frozen=True)
class Candidate:
    """An architecture that does not fit, and where it first fails."""

    architecture: Architecture
    agreeing: int
    first_disagreements: tuple[str, ...]


def recognise(path: Path, spellings: list[Mapping[str, Shape]]) -> Recognised:
    """The architecture of a state_dict, given as shapes by name in each of its possible spellings.

    Raises ``ArchitectureUnknown`` when nothing fits, or several do and the file's name does not decide.
    """
    matches = _first_matches(spellings)
    if not matches:
        raise _nothing_fits(path, spellings)
    return _the_one(path, matches)


def recognised_if_known(path: Path, spellings: list[Mapping[str, Shape]]) -> Recognised | None:
    """The same for a model that runs without being recognised: ``None`` instead of an error."""
    matches = _first_matches(spellings)
    try:
        return _the_one(path, matches) if matches else None
    except ArchitectureUnknown:
        return None


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


def available_libraries() -> tuple[str, ...]:
    """Libraries whose architectures can be built here."""
    return tuple(
        name for name in LIBRARIES if importlib.util.find_spec(name) is not None and index_path(name).is_file()
    )


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
            return _with(match, entry, f"the file is torchvision's published {entry.file_name}, by its SHA-256")
    if len(matches) == 1:
        return matches[0]
    named = [match for match in matches if _names_it(path, match.architecture)]
    longest = max((len(match.architecture.name) for match in named), default=0)
    named = [match for match in named if len(match.architecture.name) == longest]
    if len(named) == 1:
        others = ", ".join(m.architecture.title for m in matches if m is not named[0])
        return _with(
            named[0], None, f"{others} have the same tensors; the file's name says {named[0].architecture.name}"
        )
    raise _several_fit(path, matches)


def _with(match: Recognised, published: Published | None, note: str) -> Recognised:
    return dataclasses.replace(match, published=published, notes=(*match.notes, note))


def _names_it(path: Path, architecture: Architecture) -> bool:
    """Whether the file's name holds the architecture's name as a whole word, or is that of its published weights."""
    if any(path.name == entry.file_name for entry in architecture.published):
        return True
    stem = re.sub(r"[^a-z0-9]+", "_", path.stem.lower())
    return re.search(rf"(^|_){re.escape(architecture.name.lower())}(_|$)", stem) is not None


def _several_fit(path: Path, matches: list[Recognised]) -> ArchitectureUnknown:
    titles = [match.architecture.title for match in matches]
    shown = ", ".join(titles[:_SHOWN_NAMES]) + (
        f" and {len(titles) - _SHOWN_NAMES} more" if len(titles) > _SHOWN_NAMES else ""
    )
    return ArchitectureUnknown(
        f"{path} fits {len(titles)} architectures that have the same tensors and differ in what they compute: {shown}",
        fix=f"say which with --arch {titles[0]} (or another of them), or name the file after it",
    )


def _nothing_fits(path: Path, spellings: list[Mapping[str, Shape]]) -> ArchitectureUnknown:
    shapes = spellings[-1]
    candidates = closest(shapes)
    what = f"no architecture of {' or '.join(available_libraries())} has the {len(shapes)} tensors of {path}"
    own = "your own class with --arch FILE.py:CLASS"
    if not candidates:
        first = ", ".join(list(shapes)[:_SHOWN_CANDIDATES])
        return ArchitectureUnknown(
            f"{what}; none comes close (its first tensors are {first})",
            fix=f"give {own}, and --arch-args NAME=VALUE for what its constructor takes",
        )
    lines = tuple(
        f"{c.architecture.title}: {c.agreeing} of {len(shapes)} tensors agree; {'; '.join(c.first_disagreements)}"
        for c in candidates
    )
    return ArchitectureUnknown(
        f"{what}; the closest are",
        fix=f"if it is one of these, add --arch {candidates[0].architecture.title} (--partial leaves out what does not "
        f"fit); if its layers were changed, give {own}",
        context=lines,
    )


def closest(shapes: Mapping[str, Shape], limit: int = _SHOWN_CANDIDATES) -> list[Candidate]:
    """Architectures that share most tensors with a state_dict, best first; under a tenth does not count."""
    best_keys = list(current_spellings(shapes))[-1]
    found: list[tuple[float, int, Architecture, Index]] = []
    for library in available_libraries():
        index = load_index(library)
        for architecture in index:
            expected = index.shapes_of(architecture)
            agreeing = sum(1 for n, key in best_keys.items() if n in expected and fits(expected[n], shapes[key])[0])
            share = agreeing / max(len(expected), len(best_keys))
            if share >= 0.1:
                found.append((share, agreeing, architecture, index))
    found.sort(key=lambda item: -item[0])
    return [
        Candidate(architecture, agreeing, _disagreements(index.shapes_of(architecture), shapes, best_keys))
        for _share, agreeing, architecture, index in _one_a_model(found)[:limit]
    ]


def _one_a_model(
    found: list[tuple[float, int, Architecture, Index]],
) -> list[tuple[float, int, Architecture, Index]]:
    seen: dict[str, tuple[float, int, Architecture, Index]] = {}
    for item in found:
        seen.setdefault(item[2].title, item)
    return list(seen.values())


def _disagreements(
    expected: Mapping[str, str], shapes: Mapping[str, Shape], keys: Mapping[str, str]
) -> tuple[str, ...]:
    """The first tensor of wrong shape, the first missing and the first unexpected one, as far as there are any."""
    misshaped = [n for n in expected if n in keys and not fits(expected[n], shapes[keys[n]])[0]]
    missing = [n for n in expected if n not in keys]
    unexpected = [key for n, key in keys.items() if n not in expected]
    lines: list[str] = []
    if misshaped:
        first = misshaped[0]
        lines.append(f"{first} is {shapes[keys[first]]}, expected {expected_shape(expected[first])}")
    if missing:
        lines.append(f"{len(missing)} missing, first {missing[0]}")
    if unexpected:
        lines.append(f"{len(unexpected)} unexpected, first {unexpected[0]}")
    return tuple(lines)
