"""What an int8 file would reach if only its weights, or only its activations, were rounded.

Both are float files that LiteRT computes in float32: in one the constants are what the int8 file stores, as real
numbers, in the other every activation that the int8 file stores as int8 goes through a QUANTIZE and a DEQUANTIZE of its
scale and zero point. Tensors are matched by name: the float file is the one whose ops and scales the corrections have
changed already, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize import edges
from verify.flatbuffer import unpack, write


@dataclass(frozen=True)
class Covered:
    """How many float tensors were made to go through the int8 grid, of how many there are."""

    covered: int
    total: int


def with_int8_weights(model: Path, int8: Path, out: Path) -> Covered:
    """The float file with the int8 file's constants as they are stored; activations stay float."""
    unpacked, stored = unpack(model.read_bytes()), _tensors(unpack(int8.read_bytes()))
    covered = total = 0
    for graph in unpacked.subgraphs:
        for tensor in graph.tensors:
            if not _is_float_constant(unpacked, tensor):
                continue
            total += 1
            twin, twins_model = stored.get(tensor.name, (None, None))
            values = None if twin is None else _real_values(twins_model, twin)
            if values is not None:
                covered += 1
                tensor.buffer = _new_buffer(unpacked, values.astype(np.float32))
    write(unpacked, out)
    return Covered(covered, total)


def with_int8_activations(model: Path, int8: Path, out: Path) -> Covered:
    """The float file with its weights as they are, each activation rounded to what the int8 file can store of it."""
    unpacked, stored = unpack(model.read_bytes()), _tensors(unpack(int8.read_bytes()))
    covered = total = 0
    for graph in unpacked.subgraphs:
        made = [int(at) for each in graph.operators for at in each.outputs]
        wanted = [at for at in (*map(int, graph.inputs), *made) if _is_float(graph.tensors[at])]
        total += len(wanted)
        for at in wanted:
            twin, _ = stored.get(graph.tensors[at].name, (None, None))
            if twin is not None and _is_int8(twin):
                covered += 1
                _round(unpacked, graph, at, twin)
    edges.restore_dynamic_dims(unpacked)
    write(unpacked, out)
    return Covered(covered, total)


def _round(model: Any, graph: Any, at: int, twin: Any) -> None:
    """Whoever reads the tensor reads it rounded from now on."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    stored, rounded = _copy(graph, at, b"_stored"), _copy(graph, at, b"_rounded")
    graph.tensors[stored].type, graph.tensors[stored].quantization = twin.type, twin.quantization
    for operator in graph.operators:
        operator.inputs = [rounded if int(read) == at else int(read) for read in operator.inputs]
    producers = [index for index, each in enumerate(graph.operators) if at in map(int, each.outputs)]
    place = producers[0] + 1 if producers else 0
    graph.operators[place:place] = [
        _cast(model, BuiltinOperator.QUANTIZE, at, stored),
        _cast(model, BuiltinOperator.DEQUANTIZE, stored, rounded),
    ]
    if not producers:
        return
    graph.outputs = [rounded if int(index) == at else int(index) for index in graph.outputs]
    for signature in model.signatureDefs or []:
        for entry in signature.outputs:
            if model.subgraphs[signature.subgraphIndex] is graph and entry.tensorIndex == at:
                entry.tensorIndex = rounded


def _copy(graph: Any, at: int, suffix: bytes) -> int:
    from ai_edge_litert.schema_py_generated import TensorT

    old, new = graph.tensors[at], TensorT()
    new.name, new.shape, new.shapeSignature = old.name + suffix, old.shape, old.shapeSignature
    new.type, new.buffer, new.hasRank = old.type, 0, old.hasRank
    graph.tensors.append(new)
    return len(graph.tensors) - 1


def _cast(model: Any, code: int, source: int, target: int) -> Any:
    from ai_edge_litert.schema_py_generated import OperatorT
    from ai_edge_quantizer.transformations.transformation_utils import add_op_code

    operator = OperatorT()
    operator.opcodeIndex = add_op_code(code, model.operatorCodes)
    operator.inputs, operator.outputs = [source], [target]
    return operator


def _tensors(model: Any) -> dict[bytes, tuple[Any, Any]]:
    return {tensor.name: (tensor, model) for graph in model.subgraphs for tensor in graph.tensors}


def _is_float(tensor: Any) -> bool:
    from ai_edge_litert.schema_py_generated import TensorType

    return bool(tensor.type == TensorType.FLOAT32)


def _is_int8(tensor: Any) -> bool:
    from ai_edge_litert.schema_py_generated import TensorType

    return tensor.type == TensorType.INT8 and tensor.quantization is not None and tensor.quantization.scale is not None


def _is_float_constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return _is_float(tensor) and data is not None and len(data) > 0


def _real_values(model: Any, tensor: Any) -> npt.NDArray[np.float64] | None:
    """What a quantized constant stands for; ``None`` for anything that is not stored as whole numbers with scales."""
    from ai_edge_litert.schema_py_generated import TensorType

    dtype = {TensorType.INT8: np.int8, TensorType.INT16: np.int16, TensorType.INT32: np.int32}.get(tensor.type)
    data, parameters = model.buffers[tensor.buffer].data, tensor.quantization
    if dtype is None or data is None or not len(data) or parameters is None or parameters.scale is None:
        return None
    values = np.frombuffer(bytes(data), dtype).reshape(tensor.shape).astype(np.float64)
    scale, zero_point = np.asarray(parameters.scale, np.float64), np.asarray(parameters.zeroPoint, np.float64)
    if scale.size > 1:
        along = [1] * values.ndim
        along[parameters.quantizedDimension] = -1
        scale, zero_point = scale.reshape(along), zero_point.reshape(along)
    return np.asarray((values - zero_point) * scale)


def _new_buffer(model: Any, values: npt.NDArray[np.float32]) -> int:
    from ai_edge_litert.schema_py_generated import BufferT

    buffer = BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1
