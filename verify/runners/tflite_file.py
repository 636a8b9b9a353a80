"""Reading a ``.tflite`` file's own description through the schema's accessors: no interpreter, no TensorFlow.

The file is mapped, not read, and buffers are never unpacked: a 500 MB model costs as little as a small one.
"""

from __future__ import annotations

import functools
import mmap
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from verify.errors import ModelUnreadable
from verify.signature import BATCH, Dim, Quantization, Signature, TensorSpec

if TYPE_CHECKING:
    Model = Any

FILE_IDENTIFIER = b"TFL3"
SERVING_DEFAULT = "serving_default"

_CORRUPT = (struct.error, IndexError, ValueError, TypeError, AttributeError)
"""What the generated accessors raise when an offset leads nowhere; they check nothing themselves."""


@dataclass(frozen=True)
class TensorMap:
    """How a file names its inputs and outputs: ``(name, tensor index in its subgraph)`` pairs.

    ``key`` is the signature's name; ``None`` when the file has none and the tensors' own names stand in.
    """

    key: str | None
    subgraph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@contextmanager
def open_model(path: Path) -> Iterator[Model]:
    """The root table of a ``.tflite`` file, valid while the context is open; raises ``ModelUnreadable``."""
    from ai_edge_litert import schema_py_generated as schema

    if not path.is_file() or path.stat().st_size < 8:
        raise ModelUnreadable(
            f"{path} is no TFLite file: expected a file that starts with a flatbuffer header",
            fix="check that the file is complete",
        )
    with path.open("rb") as file, _mapped(file) as data:
        if data[4:8] != FILE_IDENTIFIER:
            raise ModelUnreadable(
                f"{path} is no TFLite file: expected the identifier 'TFL3' at byte 4, found {bytes(data[4:8])!r}",
                fix="check that the file is complete and is not another format with that suffix",
            )
        try:
            yield schema.Model.GetRootAs(data, 0)
        except _CORRUPT as error:
            raise ModelUnreadable(
                f"{path} is no whole TFLite file: its tables point outside it ({error})",
                fix="it was cut off or damaged: make or copy it again",
            ) from error


@contextmanager
def _mapped(file: IO[bytes]) -> Iterator[mmap.mmap]:
    """The file's bytes. Arrays that an error's traceback still holds keep them mapped until it is gone."""
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        yield data
    finally:
        with suppress(BufferError):
            data.close()


def tensor_map(model: Model) -> TensorMap:
    """The ``serving_default`` signature, or the only one, or the main subgraph's tensors by their own names."""
    signatures = [model.SignatureDefs(index) for index in range(model.SignatureDefsLength())]
    keys = [_text(signature.SignatureKey()) for signature in signatures]
    if SERVING_DEFAULT in keys:
        chosen = signatures[keys.index(SERVING_DEFAULT)]
    elif len(signatures) == 1:
        chosen = signatures[0]
    elif signatures:
        raise ModelUnreadable(
            f"the TFLite file has signatures {', '.join(keys)} and none is {SERVING_DEFAULT!r}",
            fix="export the one to run under that name",
        )
    else:
        return _by_tensor_names(model)
    return TensorMap(
        key=_text(chosen.SignatureKey()),
        subgraph=int(chosen.SubgraphIndex()),
        inputs=tuple(_entry(chosen.Inputs(index)) for index in range(chosen.InputsLength())),
        outputs=tuple(_entry(chosen.Outputs(index)) for index in range(chosen.OutputsLength())),
    )


def tflite_signature(path: Path, permutations: Mapping[str, tuple[int, ...] | None]) -> Signature:
    """What the file itself says of its inputs and outputs: names, dtypes, dynamic dims, quantization.

    ``permutations`` gives each tensor's permutation from the PyTorch layout, which no file knows; a name that is not
    in it keeps its order. The dynamic first axis is ``N``; other dynamic axes are named after tensor and axis.
    """
    with open_model(path) as model:
        names = tensor_map(model)
        graph = model.Subgraphs(names.subgraph)
        return Signature(
            inputs=tuple(_spec(graph.Tensors(at), name, permutations.get(name)) for name, at in names.inputs),
            outputs=tuple(_spec(graph.Tensors(at), name, permutations.get(name)) for name, at in names.outputs),
        )


def tflite_signature_like(path: Path, reference: Signature) -> Signature:
    """The file's signature in the order of another artifact's, with its permutations and its names of dynamic axes.

    Tensors that the reference does not have come last, as the file has them; tensors that the file lacks are left out
    (the comparison names them).
    """
    known = {spec.name: spec for spec in (*reference.inputs, *reference.outputs)}
    own = tflite_signature(path, {name: spec.permutation for name, spec in known.items()})
    return Signature(_ordered_like(own.inputs, reference.inputs), _ordered_like(own.outputs, reference.outputs))


def _ordered_like(own: tuple[TensorSpec, ...], reference: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    position = {spec.name: index for index, spec in enumerate(reference)}
    ordered = sorted(own, key=lambda spec: position.get(spec.name, len(reference)))
    return tuple(
        _with_dim_names(spec, reference[position[spec.name]]) if spec.name in position else spec for spec in ordered
    )


def _with_dim_names(own: TensorSpec, reference: TensorSpec) -> TensorSpec:
    named = reference.torch_shape
    if own.permutation is not None:
        named = tuple(named[axis] for axis in own.permutation)
    if len(named) != len(own.shape):
        return own
    shape = tuple(
        theirs if isinstance(ours, str) and isinstance(theirs, str) else ours
        for ours, theirs in zip(own.shape, named, strict=True)
    )
    return TensorSpec(own.name, own.dtype, shape, own.permutation, own.quantization)


def _by_tensor_names(model: Model) -> TensorMap:
    graph = model.Subgraphs(0)

    def named(indices: Any) -> tuple[tuple[str, int], ...]:
        return tuple((_text(graph.Tensors(int(at)).Name()), int(at)) for at in indices)

    return TensorMap(None, 0, named(graph.InputsAsNumpy()), named(graph.OutputsAsNumpy()))


def _entry(tensor_map_entry: Any) -> tuple[str, int]:
    return _text(tensor_map_entry.Name()), int(tensor_map_entry.TensorIndex())


def _spec(tensor: Any, name: str, permutation: tuple[int, ...] | None) -> TensorSpec:
    sizes = tensor.ShapeAsNumpy() if tensor.ShapeSignatureIsNone() else tensor.ShapeSignatureAsNumpy()
    shape = () if tensor.ShapeIsNone() else tuple(_dim(int(size), axis, name) for axis, size in enumerate(sizes))
    dtype = dtype_of(tensor)
    integer = dtype in {"int8", "uint8", "int16"}
    return TensorSpec(name, dtype, shape, permutation, _quantization(tensor, name) if integer else None)


def _dim(size: int, axis: int, name: str) -> Dim:
    if size >= 0:
        return size
    return BATCH if axis == 0 else f"{name}_{axis}"


def dtype_of(tensor: Any) -> str:
    """A tensor's numpy dtype name (``float32``, ``int8`` …), or the schema's own name where numpy has none."""
    return _dtype_names()[tensor.Type()]


@functools.cache
def _dtype_names() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {value: name.lower() for name, value in vars(schema.TensorType).items() if isinstance(value, int)}


def _quantization(tensor: Any, name: str) -> Quantization | None:
    parameters = tensor.Quantization()
    if parameters is None or parameters.ScaleLength() == 0:
        return None
    if parameters.ScaleLength() != 1:
        raise ModelUnreadable(
            f"{name} is quantized per axis ({parameters.ScaleLength()} scales); inputs and outputs have one"
        )
    return Quantization(float(parameters.Scale(0)), int(parameters.ZeroPoint(0)) if parameters.ZeroPointLength() else 0)


def _text(raw: bytes | None) -> str:
    return "" if raw is None else str(raw, "utf-8")
