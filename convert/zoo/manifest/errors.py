"""What is wrong with a manifest, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verify.errors import InputError

_SHOWN = 20


class ManifestInvalid(InputError):
    """A manifest that cannot be read, or that says what cannot be."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong. ``place`` names the table and the key; ``line`` is 0 where it could not be found."""

    place: str
    what: str
    """What was given and what was expected."""
    fix: str
    line: int = 0


def invalid(path: Path, mistakes: Sequence[Mistake]) -> ManifestInvalid:
    """One error for all mistakes: the first in full, the others below it."""
    first, *others = mistakes
    shown = [_sentence(path, mistake) for mistake in others[: _SHOWN - 1]]
    if len(others) >= _SHOWN:
        shown.append(f"and {len(others) - len(shown)} more")
    return ManifestInvalid(_sentence(path, first), fix=first.fix, context=tuple(shown))


def _sentence(path: Path, mistake: Mistake) -> str:
    where = f"{path.name}:{mistake.line}" if mistake.line else path.name
    return f"{where}: {mistake.place}: {mistake.what}"
