"""The most important of an inspection in a few sentences: what someone asks first of a model file."""

from __future__ import annotations

from collections.abc import Iterator

from verify.inspection.types import Inspection, RuntimeFit
from verify.report import words


def summarise(found: Inspection) -> tuple[str, ...]:
    """Size and parameters, how it is quantized, what of it is not plain, and where it would run."""
    return tuple(_sentences(found))


def _sentences(found: Inspection) -> Iterator[str]:
    yield _size(found)
    if found.quantization is not None:
        yield _quantized(found)
    if found.flex_ops:
        listed = words.op_counts(found.flex_ops)
        yield f"needs the Flex delegate (TensorFlow's own kernels): {listed}"
    if found.custom_ops:
        yield f"has custom ops, which a runtime has to be given: {words.op_counts(found.custom_ops)}"
    inputs = {spec.name: spec for signature in found.signatures for spec in signature.inputs}
    left_open = [spec for spec in inputs.values() if any(isinstance(dim, str) for dim in spec.shape)]
    if left_open:
        shapes = ", ".join(f"{spec.name} {words.dims(spec.shape)}" for spec in left_open)
        yield f"sizes left open: {shapes}"
    if found.runtimes:
        yield _runtimes(found)


def _size(found: Inspection) -> str:
    parts = [words.size(found.bytes)]
    if found.parameters is not None:
        parts.append(f"{quantity(found.parameters)} parameters")
    if found.weight_bytes:
        parts.append(f"{words.size(found.weight_bytes)} of weights")
    if found.macs is not None and found.macs.total:
        parts.append(f"{quantity(found.macs.total)} multiply-accumulates at {found.macs.assumption}")
    ops = sum(kind.count for kind in found.ops)
    if ops:
        parts.append(f"{words.count(ops, 'op')} of {words.count(len(found.ops), 'type')}")
    return ", ".join(parts)


def _quantized(found: Inspection) -> str:
    quantization = found.quantization
    kinds = {
        None: "float32 throughout",
        "float16": "float16 weights, float32 arithmetic",
        "dynamic_int8": "integer weights, float activations (dynamic range)",
        "int8": "integer weights and activations",
        "qdq": "quantized by QuantizeLinear/DequantizeLinear pairs",
        "integer_ops": "quantized with integer ops",
    }
    if quantization is None:
        return ""
    said = kinds[quantization.kind]
    per_axis = sum(tensor.scheme == "per axis" for tensor in quantization.tensors)
    if quantization.tensors:
        said += f": {len(quantization.tensors)} tensors quantized, {per_axis} of them per axis"
    if quantization.float_islands and quantization.kind == "int8":
        ops = sum(count for island in quantization.float_islands for _, count in island.ops)
        said += f"; {ops} ops compute in float, in {len(quantization.float_islands)} islands"
    return said


def _runtimes(found: Inspection) -> str:
    whole = [fit.name for fit in found.runtimes if whole_file(fit)]
    if not whole:
        return "by their published lists, not run: no runtime takes the file whole"
    return f"by their published lists, not run: taken whole by {', '.join(whole)}"


def whole_file(fit: RuntimeFit) -> bool:
    """Whether the runtime takes all of the file."""
    return fit.staying == fit.ops and not fit.blockers


def quantity(number: float) -> str:
    """``11.7 M``: three digits and a prefix of the SI."""
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {prefix}"
    return f"{number:g}"
