"""How the tensors of an ONNX graph are quantized: by QuantizeLinear/DequantizeLinear pairs, or by integer ops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from verify.inspection.types import Quantization, Scheme, TensorQuantization

_PAIRS = frozenset({"QuantizeLinear", "DequantizeLinear"})
_INTEGER_OPS = frozenset({"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"})
_PER_AXIS = 1


def quantization_of(graph: Any) -> Quantization:
    """Of the main graph; a scale that is computed while it runs (dynamic quantization) is not listed."""
    ops = {node.op_type for node in graph.node}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    tensors = tuple(_quantized(graph, constants))
    integer = any(op in _INTEGER_OPS or op.startswith("QLinear") for op in ops)
    if integer:
        return Quantization("integer_ops", tensors)
    if ops & _PAIRS:
        return Quantization("qdq", tensors)
    return Quantization("float16" if _holds_float16(graph) else None, tensors)


def _quantized(graph: Any, constants: dict[str, Any]) -> Iterator[TensorQuantization]:
    import numpy as np
    from onnx import numpy_helper

    for index, node in enumerate(graph.node):
        if node.op_type not in _PAIRS or len(node.input) < 2 or node.input[1] not in constants:
            continue
        if constants[node.input[1]].external_data:
            continue
        scales = np.atleast_1d(numpy_helper.to_array(constants[node.input[1]])).astype(np.float64)
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        zeros = np.atleast_1d(numpy_helper.to_array(zero)).astype(np.int64) if zero is not None else np.zeros(1, int)
        if not scales.size or not zeros.size:
            continue
        stored = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), _PER_AXIS)
        scheme: Scheme = "per tensor" if scales.size == 1 else "per axis" if scales.ndim == 1 else "blockwise"
        yield TensorQuantization(
            subgraph=0,
            index=index,
            name=stored,
            dtype=_dtype(zero),
            shape=tuple(constants[stored].dims) if stored in constants else (),
            constant=stored in constants,
            scheme=scheme,
            scales=int(scales.size),
            scale_min=float(scales.min()),
            scale_max=float(scales.max()),
            zero_point_min=int(zeros.min()),
            zero_point_max=int(zeros.max()),
            axis=int(axis) if scheme == "per axis" else None,
        )


def _dtype(zero: Any) -> str:
    from onnx import helper

    return "uint8" if zero is None else str(helper.tensor_dtype_to_np_dtype(zero.data_type).name)


def _holds_float16(graph: Any) -> bool:
    from onnx import TensorProto

    return any(tensor.data_type == TensorProto.FLOAT16 for tensor in graph.initializer)
