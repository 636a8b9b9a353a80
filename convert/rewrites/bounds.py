"""A number that no element of a value is below, as far as the graph proves it: what padding for a maximum may be."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from convert.rewrites.graph import constant, input_of, number, string

_FIXED = {
    # Where a float implementation may round below the true minimum, the bound has a margin.
    **dict.fromkeys(("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Exp", "Abs", "Sqrt"), 0.0),
    **dict.fromkeys(("ThresholdedRelu", "ReduceL1", "ReduceL2", "ReduceSumSquare"), 0.0),
    **dict.fromkeys(("Tanh", "Erf", "Sin", "Cos", "Softsign"), -1.001),
    "HardSwish": -0.3751,  # at -1.5
    "Swish": -0.2785,  # at -1.278
    "Gelu": -0.1701,  # at -0.7518
    "Mish": -0.3089,  # at -1.192
}
_MOVES_ONLY = frozenset(
    (
        *("Identity", "Dropout", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather"),
        *("Expand", "Tile", "DepthToSpace", "SpaceToDepth", "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin"),
    )
)
_AVERAGES = frozenset(("AveragePool", "GlobalAveragePool", "ReduceMean"))
_SILU = -0.2785
_DEEPEST = 100


def lower_bound(value: ir.Value | None, depth: int = 0) -> float | None:
    """The highest bound that is proven, ``None`` if none is."""
    known = constant(value)
    if known is not None:
        return float(known.min()) if known.size and known.dtype.kind in "fiu" else None
    node = None if value is None else value.producer()
    if node is None or depth > _DEEPEST:
        return None
    if node.op_type in _FIXED:
        return _FIXED[node.op_type]
    if node.op_type in _MOVES_ONLY:
        return lower_bound(node.inputs[0], depth + 1)
    if node.op_type in _AVERAGES:
        return _of_average(node, depth)
    rule = _RULES.get(node.op_type)
    return None if rule is None else rule(node, depth)


def _of_average(node: ir.Node, depth: int) -> float | None:
    bound = lower_bound(node.inputs[0], depth + 1)
    if bound is None:
        return None
    return bound * (0.999 if bound > 0 else 1.001) if "pads" not in node.attributes else min(bound * 1.001, 0.0)


def _inputs(node: ir.Node, depth: int) -> list[float | None]:
    return [lower_bound(value, depth + 1) for value in node.inputs]


def _lowest(bounds: Iterable[float | None]) -> float | None:
    listed = list(bounds)
    return None if None in listed else min(bound for bound in listed if bound is not None)


def _of_concat(node: ir.Node, depth: int) -> float | None:
    return _lowest(_inputs(node, depth))


def _of_max(node: ir.Node, depth: int) -> float | None:
    return max((bound for bound in _inputs(node, depth) if bound is not None), default=None)


def _of_where(node: ir.Node, depth: int) -> float | None:
    return _lowest(_inputs(node, depth)[1:])


def _of_add(node: ir.Node, depth: int) -> float | None:
    left, right = _inputs(node, depth)
    if left is None or right is None:
        return None
    return left + right - 1e-6 * (abs(left) + abs(right))


def _of_mul(node: ir.Node, depth: int) -> float | None:
    left, right = node.inputs
    if left is right:
        return 0.0
    if _gates(left, right) or _gates(right, left):
        return _SILU
    bounds = _inputs(node, depth)
    return 0.0 if all(bound is not None and bound >= 0 for bound in bounds) else None


def _gates(gate: ir.Value | None, gated: ir.Value | None) -> bool:
    """SiLU as torch's exporter writes it: ``x · Sigmoid(x)``."""
    node = None if gate is None else gate.producer()
    return node is not None and node.op_type == "Sigmoid" and node.inputs[0] is gated


def _of_clip(node: ir.Node, depth: int) -> float | None:
    inner = lower_bound(node.inputs[0], depth + 1)
    minimum = constant(input_of(node, 1))
    own = float(minimum) if minimum is not None else None
    if own is None and "min" in node.attributes:
        own = number(node, "min", 0.0)
    return max((bound for bound in (inner, own) if bound is not None), default=None)


def _of_pad(node: ir.Node, depth: int) -> float | None:
    inner = lower_bound(node.inputs[0], depth + 1)
    if string(node, "mode", "constant") != "constant":
        return inner
    fill = input_of(node, 2)
    filled = number(node, "value", 0.0) if fill is None else lower_bound(fill)
    return _lowest((inner, filled))


def _of_elu(node: ir.Node, depth: int) -> float | None:  # noqa: ARG001 - one signature for every rule
    return -1.001 * number(node, "alpha", 1.0)


def _of_resize(node: ir.Node, depth: int) -> float | None:
    if (
        string(node, "mode", "nearest") == "cubic"
        or string(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize"
    ):
        return None
    bound = lower_bound(node.inputs[0], depth + 1)
    return None if bound is None else bound - 1e-3 * abs(bound)


_RULES = {
    "Concat": _of_concat,
    "Max": _of_max,
    "Min": _of_concat,
    "Where": _of_where,
    "Add": _of_add,
    "Mul": _of_mul,
    "Clip": _of_clip,
    "Pad": _of_pad,
    "Elu": _of_elu,
    "Celu": _of_elu,
    "Resize": _of_resize,
}
