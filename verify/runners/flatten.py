"""A model's return value as a flat row of named outputs: the same function for the exporter and the reference runner.

A model returns a tensor, or tuples, lists, dicts, named tuples and dataclasses of them, nested. ``None`` is left out,
as an auxiliary head in eval mode is. Needs no framework: whatever is no container is a leaf.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from verify.errors import InputError

SINGLE = "output"


def flatten_outputs(returned: object) -> tuple[tuple[str, Any], ...]:
    """The leaves of a model's return value, in order, each with its name.

    A single tensor is ``output``. A leaf under a key is named after the key (``logits``, ``boxes_0`` for the first of a
    tuple under ``boxes``); the others are ``output_0``, ``output_1`` … by their place among all leaves.
    """
    leaves = tuple(_leaves(returned, ()))
    if len(leaves) == 1 and not _is_named(leaves[0][0]):
        return ((SINGLE, leaves[0][1]),)
    names: list[str] = []
    for place, (path, _) in enumerate(leaves):
        wanted = "_".join(str(step) for step in path) if _is_named(path) else f"{SINGLE}_{place}"
        names.append(wanted if wanted not in names else f"{wanted}_{place}")
    return tuple((name, leaf) for name, (_, leaf) in zip(names, leaves, strict=True))


def named_outputs(returned: object, chosen: tuple[str, ...]) -> dict[str, Any]:
    """The leaves of a model's return value by name: ``chosen`` when given, one an output, else the model's own."""
    leaves = flatten_outputs(returned)
    if chosen and len(chosen) != len(leaves):
        own = ", ".join(name for name, _ in leaves)
        raise InputError(
            f"{len(chosen)} output names were given ({', '.join(chosen)}), but the model has {len(leaves)}: {own}",
            fix=f"give {len(leaves)} names, or none and the model's own are used",
        )
    if len(set(chosen)) != len(chosen):
        raise InputError(f"output names must differ; given: {', '.join(chosen)}", fix="give each output its own name")
    return dict(zip(chosen or (name for name, _ in leaves), (leaf for _, leaf in leaves), strict=True))


Path = tuple[str | int, ...]


def _is_named(path: Path) -> bool:
    return any(isinstance(step, str) for step in path)


def _leaves(value: object, path: Path) -> Iterator[tuple[Path, Any]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        steps: Iterator[tuple[str | int, Any]] = ((str(key), child) for key, child in value.items())
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        steps = zip(value._fields, value, strict=True)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        steps = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    elif isinstance(value, list | tuple):
        steps = iter(enumerate(value))
    else:
        yield path, value
        return
    for step, child in steps:
        yield from _leaves(child, (*path, step))
