"""Writing an ONNX file weight by weight: VGG16's 553 MB need no further copy, where serialising the model takes five.

An ONNX file is one protobuf message. Its weights are ``initializer`` entries of its ``graph`` entry, and an entry is a
tag, a length and its bytes (https://protobuf.dev/programming-guides/encoding/): each can be written from where it lies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import torch

_LENGTH_DELIMITED = 2
_LARGEST_WEIGHTS_BYTES = 2**31 - 2**26
"""A protobuf message ends at 2 GiB; the graph needs its share."""


def save(translated: torch.onnx.ONNXProgram, out: Path) -> None:
    """Write a translated model as one file; beyond protobuf's 2 GiB with its weights in ``<name>.data`` beside it."""
    weights = _weights(translated)
    if sum(weight.nbytes for weight in weights.values()) > _LARGEST_WEIGHTS_BYTES:
        translated.save(out, external_data=True)
        return
    model = _with_weights_described(graph_only(translated, out), len(weights))
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    heads = [_initializer_head(name, weight) for name, weight in weights.items()]
    initializer_bytes = sum(map(len, heads)) + sum(weight.nbytes for weight in weights.values())
    with out.open("wb") as file:
        file.write(model.SerializeToString())
        file.write(_head(type(model).GRAPH_FIELD_NUMBER, len(graph) + initializer_bytes))
        file.write(graph)
        for head, weight in zip(heads, weights.values(), strict=True):
            file.write(head)
            _write_data(weight, file)


def graph_only(translated: torch.onnx.ONNXProgram, out: Path) -> Any:
    """The ``onnx.ModelProto`` with its weights listed as inputs after its own, through a small file beside ``out``."""
    import onnx

    skeleton = out.with_name(f".{out.name}.graph")
    try:
        translated.save(skeleton, include_initializers=False, keep_initializers_as_inputs=True, external_data=False)
        return onnx.load(str(skeleton))
    finally:
        skeleton.unlink(missing_ok=True)


def _weights(translated: torch.onnx.ONNXProgram) -> dict[str, Any]:
    """By their names in the graph, which their tensors need not share."""
    return {str(name): value.const_value for name, value in translated.model.graph.initializers.items()}


def _with_weights_described(model: Any, weight_count: int) -> Any:
    """Weights are described among the graph's values, as onnx has it, and not among its inputs."""
    own_inputs = len(model.graph.input) - weight_count
    described = model.graph.input[own_inputs:]
    del model.graph.input[own_inputs:]
    model.graph.value_info.extend(described)
    return model


def _initializer_head(name: str, weight: Any) -> bytes:
    """All of a ``GraphProto.initializer`` entry but the data, which has to follow at once."""
    import onnx

    tensor = onnx.TensorProto(name=name, dims=weight.shape.numpy(), data_type=int(weight.dtype))
    described: bytes = tensor.SerializeToString() + _head(onnx.TensorProto.RAW_DATA_FIELD_NUMBER, weight.nbytes)
    return _head(onnx.GraphProto.INITIALIZER_FIELD_NUMBER, len(described) + weight.nbytes) + described


def _write_data(weight: Any, file: BinaryIO) -> None:
    if hasattr(weight, "tofile"):
        file.flush()
        weight.tofile(file)
    else:
        file.write(weight.tobytes())


def _head(field_number: int, length: int) -> bytes:
    return _varint(field_number << 3 | _LENGTH_DELIMITED) + _varint(length)


def _varint(number: int) -> bytes:
    """Seven bits a byte, lowest first, the high bit set on all but the last."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
