"""The named axes as torch takes them, and what it found of them: which sizes they can have, which cannot be dynamic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from convert.export.attempt import AttemptFailed
from convert.export.check import FIXED_AXIS
from verify.samples import InputSpec
from verify.signature import BATCH, DynamicAxis

_FEWEST_PARTS = 2
"""Of an axis that must be a multiple: with one part only, a size comes to 1, and broadcasts."""


def dynamic_dims(inputs: tuple[InputSpec, ...], least: Mapping[str, int]) -> tuple[dict[int, Any], ...]:
    """``torch.export``'s dynamic shapes: one ``Dim`` a name, shared by every axis of that name."""
    names = {dim for spec in inputs for dim in spec.shape if isinstance(dim, str)}
    dims = {name: Dim(name, min=least.get(name, 0)) for name in names}
    return tuple({axis: dims[dim] for axis, dim in enumerate(spec.shape) if isinstance(dim, str)} for spec in inputs)


def fixes_an_axis(dims: Any) -> bool:
    """Whether what torch suggests is to give up a dynamic axis, or any batch."""
    if any(not isinstance(dim, Dim) for axes in dims for dim in axes.values()):
        return True
    return any(hasattr(axes[0], "root") or axes[0].min > 1 for axes in dims if 0 in axes)


def with_least(refined: Any, dims: Any) -> Any:
    """Dims as torch refined them (``H`` to ``32*_H``), none smaller than they were: torch forgets that."""
    raised: dict[str, Any] = {}

    def at_least(dim: Any, size: int) -> Any:
        if dim.__name__ not in raised:
            root = getattr(dim, "root", dim)
            offset, step = (int(dim.fn(0)), int(dim.fn(1))) if root is not dim else (0, 1)
            multiple = step - offset
            fewest = max(root.min, -(-(size - offset) // multiple), 0 if multiple == 1 else _FEWEST_PARTS)
            new: Any = Dim(root.__name__, min=fewest, max=root.max)
            new = new if multiple == 1 else multiple * new
            raised[dim.__name__] = new + offset if offset else new
        return raised[dim.__name__]

    return tuple(
        {axis: at_least(dim, before[axis].min) for axis, dim in axes.items()}
        for axes, before in zip(refined, dims, strict=True)
    )


def dynamic_axes(program: ExportedProgram, inputs: tuple[InputSpec, ...]) -> tuple[DynamicAxis, ...]:
    """The named axes but the batch, each with what its sizes must be: ``H`` is a multiple of 32, at least 32.

    Raises :class:`AttemptFailed` where an axis came out fixed, or two of different names always have one size.
    """
    axes: dict[str, DynamicAxis] = {}
    names_of: dict[Any, set[str]] = defaultdict(set)
    for spec, shape in zip(inputs, _input_shapes(program), strict=True):
        for axis, (name, size) in enumerate(zip(spec.shape, shape, strict=True)):
            if isinstance(name, str) and name != BATCH:
                axes[name] = _axis(name, size, program, f"axis {axis} ({name}) of input {spec.name}")
                names_of[size.node.expr].add(name)
    for names in names_of.values():
        if len(names) > 1:
            alike = " and ".join(sorted(names))
            raise AttemptFailed(f"the model takes only inputs whose {alike} are alike; give those axes one name")
    return tuple(axes.values())


def _input_shapes(program: ExportedProgram) -> list[tuple[Any, ...]]:
    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    return [tuple(values[name].shape) for name in program.graph_signature.user_inputs if isinstance(name, str)]


def _axis(name: str, size: Any, program: ExportedProgram, where: str) -> DynamicAxis:
    if not isinstance(size, torch.SymInt):
        raise AttemptFailed(f"the model takes {size} only as {where}; {FIXED_AXIS}")
    expression = size.node.expr
    (symbol,) = expression.free_symbols
    offset, step = int(expression.subs(symbol, 0)), int(expression.subs(symbol, 1))
    multiple = step - offset
    bounds = program.range_constraints.get(symbol)
    lower = int(bounds.lower) if bounds is not None else 0
    return DynamicAxis(name, multiple, offset, max(multiple * lower + offset, 1))
