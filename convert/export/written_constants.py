"""Constants that a model makes by writing into them, as the finished constants.

Swin fills a mask piece by piece (``mask = x.new_zeros(h, w)``, then ``mask[a:b, c:d] = k``), SwinV2 clears a part of a
copied bias (``bias[n:m].zero_()``). Nothing that is written depends on what the model is given, so the tensor is the
same in every run: it is computed here, once, by the program's own operators, and what wrote into it goes. Without that,
the writes through views make torch trace the whole net again, which is half of the time that Swin's export takes.

Declined, and left as it was, where anything is read before the last write, depends on an input or on chance, or is
too large to be worth keeping.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec, TensorArgument
from torch.fx import Graph, Node

from convert.export.functional_ops import is_fresh

_aten = torch.ops.aten

MAX_ELEMENTS = 1 << 22
"""Of one constant: a larger one would cost more in the file than a retrace costs in time."""

_OF_ITS_ARGUMENTS_ALONE = frozenset({_aten.new_zeros.default, _aten.new_ones.default, _aten.new_full.default})
"""Operators that take nothing but dtype and device from the tensor they are called on."""


@dataclass(frozen=True)
class _Written:
    """A tensor in fresh memory, the views of it that are written through, and the writes, each in order."""

    base: Node
    views: tuple[Node, ...]
    writes: tuple[Node, ...]


def fold_written_constants(program: ExportedProgram) -> None:
    """Replace, in place, each constant that is written into through views by what it is in the end."""
    given = _given(program)
    written_into = {node for write in _writes(program.graph) for node in _may_share(_overwritten(write))}
    for base in [node for node in program.graph.nodes if node in written_into and is_fresh(node)]:
        written = _written(base)
        if written is None:
            continue
        value = _value(written, given, written_into - {base, *written.views})
        if value is not None:
            given[_replace(program, written, value)] = value


def _given(program: ExportedProgram) -> dict[Node, torch.Tensor]:
    """What the program holds: parameters, buffers that it does not change, and constants."""
    changed = set(program.graph_signature.buffers_to_mutate.values())
    held = {**program.constants, **program.state_dict}
    placeholders = program.graph.find_nodes(op="placeholder")
    return {
        node: held[spec.target]
        for node, spec in zip(placeholders, program.graph_signature.input_specs, strict=True)
        if spec.target in held and spec.target not in changed and isinstance(held[spec.target], torch.Tensor)
    }


def _writes(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable:
            yield node


def _overwritten(write: Node) -> Node | None:
    return write.args[0] if write.args and isinstance(write.args[0], Node) else None


def _may_share(node: Node | None) -> set[Node]:
    """A node and those whose memory it may be."""
    found: set[Node] = set()
    waiting = [node] if node is not None else []
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += [] if is_fresh(each) else each.all_input_nodes
    return found


def _written(base: Node) -> _Written | None:
    """How a tensor is written into, if through views at all; ``None`` too if anything reads it in between."""
    views, writes = [], []
    waiting = [base]
    readers = []
    while waiting:
        alias = waiting.pop()
        for user in alias.users:
            if _is_write_into(user, alias):
                writes.append(user)
            elif _is_view(user, alias):
                views.append(user)
                waiting.append(user)
            else:
                readers.append((user, alias))
    if not any(_overwritten(write) in views for write in writes):
        return None
    last = max(writes)
    before = [view for view in views if view < last]
    read_early = any(reader < last or alias in before for reader, alias in readers)
    kept = any(view > last and view.args[0] in before for view in views)
    if read_early or kept or any(write.users for write in writes):
        return None
    return _Written(base, tuple(sorted(before)), tuple(sorted(writes)))


def _is_write_into(user: Node, alias: Node) -> bool:
    """Whether an operator writes into the tensor and nowhere else, reading only other tensors besides."""
    if not isinstance(user.target, torch._ops.OpOverload) or _overwritten(user) is not alias:
        return False
    written = [each.alias_info is not None and each.alias_info.is_write for each in user.target._schema.arguments]
    return written[0] and not any(written[1:]) and user.all_input_nodes.count(alias) == 1


def _is_view(user: Node, alias: Node) -> bool:
    if not isinstance(user.target, torch._ops.OpOverload) or user.target._schema.is_mutable:
        return False
    first = user.target._schema.arguments[0].alias_info
    return user.args[0] is alias and first is not None and len(user.target._schema.returns) == 1


def _value(written: _Written, given: dict[Node, torch.Tensor], others: set[Node]) -> torch.Tensor | None:
    """What the tensor holds after the last write; ``None`` if that may differ between runs."""
    steps = _ancestry((written.base, *written.views, *written.writes))
    made = written.base.meta.get("val")
    if not isinstance(made, torch.Tensor) or not _is_static(made) or made.numel() > MAX_ELEMENTS:
        return None
    own = {written.base, *written.views, *written.writes}
    known: dict[Node, Any] = {node: value for node, value in given.items() if node not in others}
    with torch.no_grad():
        for node in sorted(steps - known.keys()):
            if node in others or not (node in own or _is_pure(node)) or not _inputs_known(node, known):
                return None
            known[node] = _run(node, known)
    value = known[written.base]
    fits = isinstance(value, torch.Tensor) and (value.shape, value.dtype) == (made.shape, made.dtype)
    return value.contiguous() if fits else None


def _ancestry(nodes: tuple[Node, ...]) -> set[Node]:
    found: set[Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += () if node.target in _OF_ITS_ARGUMENTS_ALONE else node.all_input_nodes
    return found


def _is_static(value: torch.Tensor) -> bool:
    return all(isinstance(dim, int) for dim in value.shape)


def _is_pure(node: Node) -> bool:
    target = node.target
    return (
        isinstance(target, torch._ops.OpOverload)
        and not target._schema.is_mutable
        and torch.Tag.nondeterministic_seeded not in target.tags
        and "empty" not in target._schema.name
    )


def _inputs_known(node: Node, known: dict[Node, Any]) -> bool:
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    return node.target in _OF_ITS_ARGUMENTS_ALONE or all(each in known for each in node.all_input_nodes)


def _run(node: Node, known: dict[Node, Any]) -> Any:
    def real(each: Node) -> Any:
        return known[each] if each in known else torch.empty(0, dtype=each.meta["val"].dtype)

    args, kwargs = torch.fx.map_arg((node.args, node.kwargs), real)
    return node.target(*args, **kwargs)  # type: ignore[operator]


def _replace(program: ExportedProgram, written: _Written, value: torch.Tensor) -> Node:
    """Hold the value as one more constant of the program; returns its placeholder."""
    name = f"written_constant_{sum(key.startswith('written_constant_') for key in program.constants)}"
    specs = program.graph_signature.input_specs
    at = next((number for number, spec in enumerate(specs) if spec.kind is InputKind.USER_INPUT), len(specs))
    placeholders = program.graph.find_nodes(op="placeholder")
    with program.graph.inserting_before(placeholders[at] if at < len(placeholders) else written.base):
        constant: Node = program.graph.placeholder(f"c_{name}")
    constant.meta["val"] = written.base.meta["val"]
    specs.insert(at, InputSpec(InputKind.CONSTANT_TENSOR, TensorArgument(constant.name), name))
    program.constants[name] = value
    for node in (*reversed(written.writes), *reversed(written.views)):
        program.graph.erase_node(node)
    written.base.replace_all_uses_with(constant)
    program.graph.erase_node(written.base)
    return constant
