"""A manifest's models, expanded: one entry for each checkpoint and each combination of its matrix, with an id."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from convert.zoo.manifest.schema import ModelTable, SourceTable
from convert.zoo.manifest.source_names import Located

Cell = Mapping[str, Any]
"""One value for each key of a matrix."""

NOT_IN_MATRIX = frozenset({"id", "source", "sha256", "matrix", "expect", "arch_args"})
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST = 120


@dataclass(frozen=True)
class Entry:
    """One job to be: a checkpoint, and the options it is converted with, defaults and matrix put in."""

    index: int
    """Which ``[[model]]`` it comes from."""
    own_keys: frozenset[str]
    """Keys that the model has itself, and not from the defaults."""
    options: ModelTable
    source: SourceTable
    located: Located
    several: bool
    """Whether its model has more than one checkpoint, or could have: a glob."""
    cell: Cell = field(default_factory=dict)
    id: str = ""


def cells(matrix: Mapping[str, Sequence[Any]] | None) -> Iterator[Cell]:
    """Every combination of a matrix, the last key changing fastest; one empty cell without a matrix."""
    keys = list(matrix or {})
    for values in itertools.product(*(matrix[key] for key in keys) if matrix else ()):
        yield dict(zip(keys, values, strict=True))


def cell_suffix(cell: Cell) -> str:
    """``@lowering=exact@int8_io=int8``: what a combination adds to an id."""
    return "".join(f"@{key}={_label(value)}" for key, value in cell.items())


def _label(value: object) -> str:
    words = value if isinstance(value, list) else [value]
    texts = [str(word).lower() if isinstance(word, bool) else str(word) for word in words]
    return "+".join(_UNSAFE.sub("-", text).strip("-") or "-" for text in texts)


def with_ids(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with their ids; where names taken from sources clash, folders are put before them, as many as needed,
    and suffixes after them.

    Some may still clash (:func:`clashes`): ids that were given, and one checkpoint in two models.
    """
    depth: dict[Located, int] = defaultdict(lambda: 1)
    named = _named(entries, depth)
    for _ in range(1 + max((len(entry.located.parts) for entry in entries), default=0)):
        clashing = {entry.located for pair in clashes(named) for entry in pair if not _is_given(entry)}
        for located in clashing:
            depth[located] += 1
        named = _named(entries, depth) if clashing else named
    return named


def clashes(entries: Sequence[Entry]) -> list[tuple[Entry, Entry]]:
    """Entries of one id. Case does not tell names apart: on some systems it tells no files apart."""
    first: dict[str, Entry] = {}
    found = []
    for entry in entries:
        other = first.setdefault(entry.id.casefold(), entry)
        if other is not entry:
            found.append((other, entry))
    return found


def _named(entries: Sequence[Entry], depth: Mapping[Located, int]) -> list[Entry]:
    return [replace(entry, id=_id(entry, depth[entry.located])) for entry in entries]


def _id(entry: Entry, depth: int) -> str:
    name = entry.located.name(depth)
    if entry.options.id is not None:
        name = f"{entry.options.id}-{name}" if entry.several else entry.options.id
    return f"{name[:_LONGEST]}{cell_suffix(entry.cell)}"


def _is_given(entry: Entry) -> bool:
    return entry.options.id is not None and not entry.several
