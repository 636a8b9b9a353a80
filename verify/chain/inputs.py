"""What all models of a chain can be fed: shapes that fit every one, types, ranges, batch sizes."""

from __future__ import annotations

from dataclasses import replace

from verify.chain.members import Member
from verify.checkpoint.input_specs import parse_input
from verify.errors import InputError, InputSpecInvalid
from verify.samples.spec import InputSpec
from verify.samples.write import JUDGING_BATCH_SIZES
from verify.signature import BATCH, Dim, TensorSpec


def common_inputs(members: tuple[Member, ...], texts: tuple[str, ...]) -> tuple[InputSpec, ...]:
    """The inputs under the first model's names; ``texts`` are the user's ``--input``. Raises an ``InputError``."""
    told = {spec.name: spec for spec in map(parse_input, texts)}
    specs = tuple(_common(spec.name, members) for spec in members[0].artifact.signature.inputs)
    unknown = sorted(told.keys() - {spec.name for spec in specs})
    if unknown and not (len(told) == len(specs) == 1):
        raise InputSpecInvalid(
            f"--input {unknown[0]}: the models take {', '.join(spec.name for spec in specs)}", fix="use their names"
        )
    if len(told) == len(specs) == 1:
        told = {specs[0].name: next(iter(told.values()))}
    return tuple(_as_told(spec, told.get(spec.name)) for spec in specs)


def batch_sizes(members: tuple[Member, ...]) -> tuple[int, ...]:
    """1, 2 and 5, unless a model takes one batch size only; raises ``InputError`` when two take different ones."""
    fixed: dict[int, str] = {}
    for member in members:
        for spec in member.artifact.signature.inputs:
            if spec.shape and isinstance(spec.torch_shape[0], int):
                fixed.setdefault(spec.torch_shape[0], member.entry.name)
    if len(fixed) > 1:
        listed = " and ".join(f"{name} of {size}" for size, name in fixed.items())
        raise InputError(
            f"the models take different batches: {listed}; expected one size or a dynamic one",
            fix="convert or export them again with a dynamic batch",
        )
    return tuple(fixed) or JUDGING_BATCH_SIZES


def _common(name: str, members: tuple[Member, ...]) -> InputSpec:
    own = [member.input_names.get(name, name) for member in members]
    tensors = [member.artifact.signature.input(its) for member, its in zip(members, own, strict=True)]
    known = [spec for member, its in zip(members, own, strict=True) for spec in member.inputs if spec.name == its]
    shape = _common_shape(name, tensors, members)
    if known:
        return replace(known[0], name=name, shape=shape)
    first = tensors[0]
    if first.quantization is not None:
        return InputSpec(name, shape)
    return InputSpec(name, shape, first.dtype)


def _common_shape(name: str, tensors: list[TensorSpec], members: tuple[Member, ...]) -> tuple[Dim, ...]:
    """Static where any model is."""
    shape: list[Dim] = []
    for axis, dims in enumerate(zip(*(tensor.torch_shape for tensor in tensors), strict=True)):
        static = {dim: it.entry.name for dim, it in zip(dims, members, strict=True) if isinstance(dim, int)}
        if axis and len(static) > 1:
            listed = " and ".join(f"{dim} in {model}" for dim, model in static.items())
            raise InputError(f"axis {axis} of {name} is {listed}: expected one size", fix="compare like with like")
        shape.append(BATCH if not axis else next(iter(static), dims[0]))
    return tuple(shape)


def _as_told(spec: InputSpec, told: InputSpec | None) -> InputSpec:
    if told is None:
        return spec
    fits = len(told.shape) == len(spec.shape) and all(
        isinstance(theirs, str) or ours == theirs for ours, theirs in zip(told.shape[1:], spec.shape[1:], strict=True)
    )
    if not fits:
        raise InputSpecInvalid(
            f"--input {told.name}={_dims(told.shape)}: the models take {spec.name} as {_dims(spec.shape)}",
            fix="give sizes that fit every model",
        )
    limits = (told.low, told.high) if told.low is not None else (spec.low, spec.high)
    return replace(spec, shape=told.shape, dtype=told.dtype, low=limits[0], high=limits[1])


def _dims(shape: tuple[Dim, ...]) -> str:
    return ",".join(str(dim) for dim in shape)
