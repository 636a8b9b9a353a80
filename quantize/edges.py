"""What a quantized model takes and gives: its inputs and outputs, edited in the unpacked flatbuffer.

The library inserts quantize and dequantize ops without carrying over the dynamic batch, and leaves the signature
pointing at the tensors before them; both are mended here. uint8 edges are int8 ones with the zero point moved by 128.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UINT8_OFFSET = 128


def repoint_outputs(model: Any, before: Mapping[int, list[int]]) -> None:
    """Make signatures name what each subgraph gives now; ``before`` are its output tensors as they were."""
    for signature in model.signatureDefs or []:
        old, new = before[signature.subgraphIndex], list(model.subgraphs[signature.subgraphIndex].outputs)
        moved = dict(zip(old, new, strict=True))
        for entry in signature.outputs:
            entry.tensorIndex = moved.get(entry.tensorIndex, entry.tensorIndex)


def restore_dynamic_dims(model: Any) -> None:
    """Give what QUANTIZE and DEQUANTIZE ops put out the dynamic dims of what goes in."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    casts = {
        index
        for index, code in enumerate(model.operatorCodes)
        if code.builtinCode in {BuiltinOperator.QUANTIZE, BuiltinOperator.DEQUANTIZE}
    }
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator.opcodeIndex in casts:
                source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
                target.shapeSignature = source.shapeSignature


def widen_through_float(model: Any) -> None:
    """Turn each QUANTIZE from int8 to int16 into a DEQUANTIZE and a QUANTIZE: LiteRT 2.1.0 only narrows at once."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, TensorType

    for graph in model.subgraphs:
        operators = []
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode == BuiltinOperator.QUANTIZE:
                source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
                if (source.type, target.type) == (TensorType.INT8, TensorType.INT16):
                    real = _float_twin(graph, int(operator.outputs[0]))
                    operators.append(_cast(model, "DEQUANTIZE", source=int(operator.inputs[0]), target=real))
                    operator.inputs = [real]
            operators.append(operator)
        graph.operators = operators


def make_edges_uint8(model: Any) -> None:
    """Turn int8 inputs and outputs of every subgraph that a signature names (or the first) into uint8 ones, exactly."""
    from ai_edge_litert.schema_py_generated import TensorType

    entries = {signature.subgraphIndex for signature in model.signatureDefs or []} or {0}
    for subgraph in sorted(entries):
        graph = model.subgraphs[subgraph]
        for at in list(dict.fromkeys(graph.inputs)):
            if graph.tensors[at].type == TensorType.INT8:
                _put_before(model, subgraph, int(at))
        for at in list(dict.fromkeys(graph.outputs)):
            if graph.tensors[at].type == TensorType.INT8:
                _put_after(model, subgraph, int(at))


def _put_before(model: Any, subgraph: int, at: int) -> None:
    graph = model.subgraphs[subgraph]
    new = _uint8_twin(graph, at)
    graph.operators.insert(0, _cast(model, "QUANTIZE", source=new, target=at))
    graph.inputs = [new if index == at else index for index in graph.inputs]
    _rename_in_signatures(model, subgraph, "inputs", at, new)


def _put_after(model: Any, subgraph: int, at: int) -> None:
    graph = model.subgraphs[subgraph]
    new = _uint8_twin(graph, at)
    graph.operators.append(_cast(model, "QUANTIZE", source=at, target=new))
    graph.outputs = [new if index == at else index for index in graph.outputs]
    _rename_in_signatures(model, subgraph, "outputs", at, new)


def _uint8_twin(graph: Any, at: int) -> int:
    """A uint8 tensor that holds what an int8 tensor holds, 128 higher; the name goes with it to the outside."""
    from ai_edge_litert.schema_py_generated import QuantizationParametersT, TensorT, TensorType

    inner = graph.tensors[at]
    outer = TensorT()
    outer.name, outer.shape, outer.shapeSignature = inner.name, inner.shape, inner.shapeSignature
    outer.type, outer.buffer, outer.hasRank = TensorType.UINT8, 0, inner.hasRank
    outer.quantization = QuantizationParametersT()
    outer.quantization.scale = inner.quantization.scale
    outer.quantization.zeroPoint = [int(inner.quantization.zeroPoint[0]) + UINT8_OFFSET]
    inner.name = inner.name + b"_int8"
    graph.tensors.append(outer)
    return len(graph.tensors) - 1


def _float_twin(graph: Any, at: int) -> int:
    from ai_edge_litert.schema_py_generated import TensorT, TensorType

    stored, real = graph.tensors[at], TensorT()
    real.name, real.shape, real.shapeSignature = stored.name + b"_float", stored.shape, stored.shapeSignature
    real.type, real.buffer, real.hasRank = TensorType.FLOAT32, 0, stored.hasRank
    graph.tensors.append(real)
    return len(graph.tensors) - 1


def _cast(model: Any, op: str, *, source: int, target: int) -> Any:
    from ai_edge_litert.schema_py_generated import BuiltinOperator, OperatorT
    from ai_edge_quantizer.transformations.transformation_utils import add_op_code

    operator = OperatorT()
    operator.opcodeIndex = add_op_code(getattr(BuiltinOperator, op), model.operatorCodes)
    operator.inputs, operator.outputs = [source], [target]
    return operator


def _rename_in_signatures(model: Any, subgraph: int, role: str, old: int, new: int) -> None:
    for signature in model.signatureDefs or []:
        if signature.subgraphIndex == subgraph:
            for entry in getattr(signature, role):
                if entry.tensorIndex == old:
                    entry.tensorIndex = new
