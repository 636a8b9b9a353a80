"""Whether an op keeps a rule of a runtime's list: each check returns why not, with the value it saw."""

from __future__ import annotations

import math
from collections.abc import Iterator

from verify.inspection.runtime_lists import Rule
from verify.inspection.tflite_graph import Operand, Operator

_FLOATS = frozenset({"float16", "float32"})
_INTEGERS = frozenset({"int4", "int8", "uint8", "int16"})


def broken(operator: Operator, rule: Rule) -> str:
    """Why the op does not keep the rule; empty when it does, as far as it can be checked."""
    for check in (_counts, _dtypes, _shapes, _constants, _options, _values, _quantization):
        for reason in check(operator, rule):
            return reason
    return ""


def _counts(operator: Operator, rule: Rule) -> Iterator[str]:
    inputs = [tensor for tensor in operator.inputs if tensor is not None]
    computed = sum(not tensor.constant for tensor in inputs)
    if rule.max_version is not None and operator.version > rule.max_version:
        yield f"version {operator.version} of the op, up to {rule.max_version} taken"
    if rule.inputs and len(inputs) not in rule.inputs:
        yield f"{len(inputs)} inputs, {_either(rule.inputs)} taken"
    if rule.computed_inputs and computed not in rule.computed_inputs:
        yield f"{computed} inputs that are computed, {_either(rule.computed_inputs)} taken"


def _dtypes(operator: Operator, rule: Rule) -> Iterator[str]:
    for tensor in _computed(operator):
        if rule.dtypes and tensor.dtype not in rule.dtypes:
            yield f"{tensor.dtype} values, {_either(rule.dtypes)} taken"
    for at, allowed in rule.dtypes_of.items():
        tensor_at = _input(operator, at)
        if tensor_at is not None and tensor_at.dtype not in allowed:
            yield f"input {at} is {tensor_at.dtype}, {_either(allowed)} taken"


def _shapes(operator: Operator, rule: Rule) -> Iterator[str]:
    for at, ranks in rule.ranks.items():
        tensor = _input(operator, at)
        if tensor is not None and len(tensor.shape) not in ranks:
            yield f"input {at} has rank {len(tensor.shape)}, {_either(ranks)} taken"
    for tensor in _computed(operator):
        if rule.max_rank is not None and len(tensor.shape) > rule.max_rank:
            yield f"rank {len(tensor.shape)}, up to {rule.max_rank} taken"
        yield from _outer_axes(tensor, rule.inner_axes)
        if rule.max_elements is not None and math.prod(tensor.shape) > rule.max_elements:
            yield f"{math.prod(tensor.shape)} elements, up to {rule.max_elements} taken"
    for tensor in operator.outputs:
        yield from _outer_axes(tensor, rule.output_inner_axes)


def _outer_axes(tensor: Operand, inner: int | None) -> Iterator[str]:
    if inner is not None and any(size != 1 for size in tensor.shape[:-inner]):
        yield f"shape {_dims(tensor)}, only the innermost {inner} may be longer than 1"


def _constants(operator: Operator, rule: Rule) -> Iterator[str]:
    for at in rule.constant:
        tensor = _input(operator, str(at))
        if tensor is not None and not tensor.constant:
            yield f"input {at} is computed, a constant is taken"
    for at in rule.computed:
        tensor = _input(operator, str(at))
        if tensor is not None and tensor.constant:
            yield f"input {at} is a constant, a computed one is taken"


def _options(operator: Operator, rule: Rule) -> Iterator[str]:
    for name, wanted in rule.options.items():
        if name in operator.options and operator.options[name] != wanted:
            yield f"{name} is {operator.options[name]:g}, {wanted:g} taken"
    for name, refused in rule.not_options.items():
        if operator.options.get(name) == refused:
            yield f"{name} is {refused:g}, which is not taken"
    chosen = {name: operator.options[name] for name in rule.equal_options if name in operator.options}
    if len(set(chosen.values())) > 1:
        yield f"{' and '.join(chosen)} differ"


def _values(operator: Operator, rule: Rule) -> Iterator[str]:
    for at, wanted in rule.values.items():
        if (found := _contents(operator, at)) is not None and found != wanted:
            yield f"input {at} is {list(found)}, {list(wanted)} taken"
    for at, wanted in rule.starts_with.items():
        if (found := _contents(operator, at)) is not None and found[: len(wanted)] != wanted:
            yield f"input {at} is {list(found)}, it has to begin with {list(wanted)}"
    for at, wanted in rule.only_values.items():
        if (found := _contents(operator, at)) is not None and not set(found) <= set(wanted):
            yield f"input {at} is {list(found)}, only {_either(wanted)} taken"
    for at, refused in rule.not_axes.items():
        found, rank = _contents(operator, at), max((len(tensor.shape) for tensor in _computed(operator)), default=0)
        if found is not None and {axis % rank if rank else axis for axis in found} & set(refused):
            yield f"over axis {_either(refused)} (the batch)"


def _quantization(operator: Operator, rule: Rule) -> Iterator[str]:
    computed = {tensor.dtype for tensor in operator.inputs if tensor is not None and not tensor.constant}
    weights = {tensor.dtype for tensor in operator.weights}
    if not rule.hybrid and computed & _FLOATS and weights & _INTEGERS:
        yield "float values with integer weights"
    if not rule.blockwise and any(tensor is not None and tensor.blockwise for tensor in operator.inputs):
        yield "weights quantized block by block"


def _computed(operator: Operator) -> list[Operand]:
    taken = [tensor for tensor in operator.inputs if tensor is not None and not tensor.constant]
    return [*taken, *operator.outputs]


def _input(operator: Operator, at: str) -> Operand | None:
    return operator.inputs[int(at)] if int(at) < len(operator.inputs) else None


def _contents(operator: Operator, at: str) -> tuple[int, ...] | None:
    tensor = _input(operator, at)
    return tensor.values if tensor is not None else None


def _dims(tensor: Operand) -> str:
    return "×".join(str(size) for size in tensor.shape)


def _either(values: tuple[str, ...] | tuple[int, ...]) -> str:
    words = [str(value) for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
