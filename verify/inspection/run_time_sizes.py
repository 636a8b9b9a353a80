"""Ops of a ``.tflite`` file whose results LiteRT can size only while it runs.

A size is known beforehand where the tensor that gives it is a constant, or follows from shapes alone by ops that
LiteRT's kernels compute when they are prepared (``SetTensorToPersistentRo`` in ``tflite/kernels``, read at
google-ai-edge/LiteRT f67457790c9c). PACK is not among them. A graph with one tensor that is not known beforehand is
refused whole by every delegate without ``kTfLiteDelegateFlagsAllowDynamicTensors``
(``Subgraph::ModifyGraphWithDelegate``): the GPU and, as it is set by default, NNAPI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from verify.inspection.tflite_graph import Operand, Operator

_SIZES: Mapping[str, tuple[int, ...]] = {
    "ARG_MAX": (1,),
    "ARG_MIN": (1,),
    "BATCH_TO_SPACE_ND": (1, 2),
    "BROADCAST_TO": (1,),
    "EXPAND_DIMS": (1,),
    "FILL": (0,),
    "MEAN": (1,),
    "MIRROR_PAD": (1,),
    "ONE_HOT": (1,),
    "PAD": (1,),
    "PADV2": (1,),
    "RANGE": (0, 1, 2),
    "REDUCE_ALL": (1,),
    "REDUCE_ANY": (1,),
    "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,),
    "REDUCE_PROD": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "SCATTER_ND": (2,),
    "SLICE": (1, 2),
    "SPACE_TO_BATCH_ND": (1, 2),
    "SPARSE_TO_DENSE": (1,),
    "SPLIT": (0,),
    "SPLIT_V": (1, 2),
    "STRIDED_SLICE": (1, 2, 3),
    "SUM": (1,),
    "TILE": (1,),
    "TOPK_V2": (1,),
    "TRANSPOSE": (1,),
    "TRANSPOSE_CONV": (0,),
}
"""Inputs that decide the size of what an op gives."""
_CONSTANTS_ONLY = frozenset({"TRANSPOSE_CONV"})
_FROM_SHAPES = frozenset({"SHAPE", "RANK"})
_PREPARED = frozenset(
    {
        "BROADCAST_ARGS",
        "CONCATENATION",
        "GATHER",
        "MUL",
        "RANGE",
        "REDUCE_PROD",
        "RESHAPE",
        "STRIDED_SLICE",
        "TILE",
    }
)
_FIXED_INPUT_ONLY = frozenset({"TOPK_V2"})
"""Known beforehand only where the file leaves no axis of the first input open."""
_SIZED_BY_VALUES = frozenset({"UNIQUE", "WHERE"})


def run_time_sizes(operators: Sequence[Operator]) -> tuple[Operator, ...]:
    """The ops that begin it: what reads their results is sized while it runs as well."""
    known: set[tuple[int, int]] = set()
    found = []
    for operator in operators:
        if operator.op in _FROM_SHAPES or (operator.op in _PREPARED and _all_known(operator, operator.inputs, known)):
            known |= {(operator.subgraph, tensor.index) for tensor in operator.outputs}
        if operator.op in _SIZED_BY_VALUES or not _sizes_known(operator, known):
            found.append(operator)
    return tuple(found)


def _sizes_known(operator: Operator, known: set[tuple[int, int]]) -> bool:
    first = operator.inputs[0] if operator.inputs else None
    if operator.op in _FIXED_INPUT_ONLY and first is not None and first.dynamic_axes:
        return False
    sizes = [operator.inputs[at] for at in _SIZES.get(operator.op, ()) if at < len(operator.inputs)]
    return _all_known(operator, sizes, set() if operator.op in _CONSTANTS_ONLY else known)


def _all_known(operator: Operator, tensors: Sequence[Operand | None], known: set[tuple[int, int]]) -> bool:
    return all(tensor is None or tensor.constant or (operator.subgraph, tensor.index) in known for tensor in tensors)
