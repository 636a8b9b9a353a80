"""Element types for which TFLite has no kernel, computed in a wider type that holds every result exactly.

8- and 16-bit integers are computed as int32 and 32-bit unsigned ones as int64; sums, differences and products that
leave the narrow type wrap when they are cast back, as ONNX's do. float16 is computed in float32 and rounded once an op:
for + − × ÷ √ that is the float16 result itself (24 bits are at least twice 11 plus two). float64 stays: nothing wider
has a kernel, and float32 would lose digits. So does uint64, which TFLite cannot even cast.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from convert.layout.value import Tensor, TensorSequence, Value

_ARITHMETIC = frozenset({
    "Abs", "Add", "ArgMax", "ArgMin", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Clip", "CumSum", "Div",
    "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "Pow",
    "PRelu", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Sign", "Sub", "Sum", "TopK",
})  # fmt: skip
_MOVES = frozenset({
    "Compress", "DepthToSpace", "Expand", "GatherElements", "GatherND", "NonZero", "OneHot", "Pad", "ReverseSequence",
    "ScatterElements", "ScatterND", "SpaceToDepth", "Tile", "Trilu", "Unique", "Where",
})  # fmt: skip
_MOVES_BYTES_TOO = frozenset({"Concat", "Gather", "Slice", "Split"})
"""For which TFLite has 8-bit kernels, but not all of those for 16 bits and 32 unsigned ones."""
_MOVES_HALVES = frozenset({
    "Cast", "CastLike", "Constant", "Flatten", "Identity", "If", "Loop", "Optional", "OptionalGetElement",
    "OptionalHasElement", "Reshape", "Scan", "SequenceAt", "SequenceConstruct", "SequenceErase", "SequenceInsert",
    "SequenceLength", "Shape", "Size", "Squeeze", "Transpose", "Unsqueeze",
})  # fmt: skip
_WIDER = {tf.int8: tf.int32, tf.uint8: tf.int32, tf.int16: tf.int32, tf.uint16: tf.int32, tf.uint32: tf.int64}


def computed_as(op: str, dtype: tf.DType) -> tf.DType:
    """The type in which the op is computed on elements of that type."""
    if dtype == tf.float16 and op not in _MOVES_HALVES:
        return tf.float32
    if op == "MaxPool" and dtype in (tf.int8, tf.uint8):
        return tf.float32  # integers are pooled with a scale only
    if op in _ARITHMETIC or op in _MOVES or (op in _MOVES_BYTES_TOO and dtype.size > 1):
        return _WIDER.get(dtype, dtype)
    return dtype


def transposed(tensor: Tensor, permutation: Sequence[int]) -> Tensor:
    """A transpose; of elements that TFLite does not transpose, in a type that it does."""
    wide = {**_WIDER, tf.float16: tf.float32}.get(tensor.dtype) if tensor.dtype.size > 1 else None
    if wide is None:
        return tf.transpose(tensor, permutation)
    return tf.cast(tf.transpose(tf.cast(tensor, wide), permutation), tensor.dtype)


def widened(op: str, values: Sequence[Value | None]) -> tuple[Value | None, ...]:
    """The operands in the type that the op is computed in."""
    operands: list[Value | None] = []
    for value in values:
        if value is None or value.is_shape_arithmetic or isinstance(value, TensorSequence):
            operands.append(value)
            continue
        dtype = tf.as_dtype(value.data.dtype)
        wide = computed_as(op, dtype)
        if wide == dtype:
            operands.append(value)
            continue
        operands.append(_cast(value, wide))
    return tuple(operands)


def narrowed(value: Value, declared: tf.DType | None) -> Value | None:
    """A result of widened operands in the type that ONNX declares; ``None`` if it declares none."""
    if value.is_shape_arithmetic or isinstance(value, TensorSequence):
        return value
    if declared is None:
        return None
    return value if tf.as_dtype(value.data.dtype) == declared else _cast(value, declared)


def _cast(value: Value, dtype: tf.DType) -> Value:
    data = np.asarray(value.data).astype(dtype.as_numpy_dtype) if value.is_constant else tf.cast(value.data, dtype)
    return Value(data, value.layout, value.sizes, value.parameter)
