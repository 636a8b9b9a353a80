"""Where a model that stops midway leaves the sizes that its own file declares: there, or at the op that stops."""

from __future__ import annotations

from collections.abc import Sequence

from verify.localise.graph import Graph, Op
from verify.localise.recording import Recording


def first_resized(graph: Graph, own: Recording, stopped: Op) -> Op | None:
    """The first op, as far as the model runs, that gives another size than its file declares; if all that ``stopped``
    reads is as declared, ``stopped`` itself; ``None`` where the file does not say.
    """
    for op in graph.ops:
        if op.index >= stopped.index:
            break
        if any(_as_declared(graph, own, tensor) is False for tensor in op.outputs):
            return op
    known = [_as_declared(graph, own, tensor) for tensor in stopped.inputs]
    return stopped if known and all(known) else None


def told_size(graph: Graph, own: Recording, op: Op, stopped: Op | None) -> str:
    """One sentence: what the op gives, or why it stops."""
    for tensor in op.outputs:
        if _as_declared(graph, own, tensor) is False:
            given, declared = _shape(own, tensor), graph.sizes[tensor]
            after = "" if stopped is None else f"; {stopped.kind} {stopped.index} cannot run on that"
            return f"{op.kind} {op.index} gives {_written(given)} where the file declares {_written(declared)}{after}."
    why = own.missing.get(f"{op.kind} {op.index}", "")
    return f"{op.kind} {op.index} cannot run on what it reads, which has the sizes that the file declares: {why}"


def told_sizes(given: Sequence[int], expected: Sequence[int]) -> str:
    """A phrase where two sizes differ, else nothing."""
    return "" if tuple(given) == tuple(expected) else f"{_written(given)} where {_written(expected)} is expected"


def _written(sizes: Sequence[int | None]) -> str:
    return "×".join("?" if size is None else str(size) for size in sizes)


def _as_declared(graph: Graph, own: Recording, tensor: str) -> bool | None:
    declared = graph.sizes.get(tensor)
    if declared is None or tensor not in own.dtypes:
        return None
    given = _shape(own, tensor)
    return len(given) == len(declared) and all(
        want is None or size == want for size, want in zip(given, declared, strict=True)
    )


def _shape(own: Recording, tensor: str) -> tuple[int, ...]:
    return own.tensors[tensor].shape[1:]
