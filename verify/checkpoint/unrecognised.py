"""The errors of recognition: which architectures come closest, how many tensors agree, and the first that don't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verify.checkpoint.index import Architecture, Index, available_libraries, expected_shape, fits, load_index
from verify.checkpoint.legacy_keys import current_spellings
from verify.errors import ArchitectureUnknown

Shape = tuple[int, ...]
_SHOWN_CANDIDATES = 3
_SHOWN_NAMES = 8


@dataclass(frozen=True)
class Candidate:
    """An architecture that does not fit, and where it first fails."""

    architecture: Architecture
    agreeing: int
    first_disagreements: tuple[str, ...]


def first_titles(titles: list[str]) -> str:
    """The first architectures of a list, and how many more there are."""
    more = f" and {len(titles) - _SHOWN_NAMES} more" if len(titles) > _SHOWN_NAMES else ""
    return ", ".join(titles[:_SHOWN_NAMES]) + more


def several_fit(path: Path, titles: list[str]) -> ArchitectureUnknown:
    """The error for tensors that several architectures share."""
    shown = first_titles(titles)
    return ArchitectureUnknown(
        f"{path} fits {len(titles)} architectures that have the same tensors and may compute different things: {shown}",
        fix=f"say which with --arch {titles[0]} (or another of them), or name the file after it",
    )


def nothing_fits(path: Path, shapes: Mapping[str, Shape]) -> ArchitectureUnknown:
    """The error for tensors that no architecture has: the closest ones, and where they first disagree."""
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
