"""What ``torch.nn.LocalResponseNorm`` is exported as → LRN: x / (k + alpha · mean of x² over n neighbours)^beta.

torch spells the mean as an average pool over a channel axis that is made spatial, with zeros padded to both sides and
counted. Exact for an odd n: ONNX's LRN is ``x / (bias + alpha / size · sum of x²)^beta`` over the same channels; for an
even n ONNX leans to the other side. AlexNet as published asked for it: TFLite averages over no three axes, and has LRN.
"""

from __future__ import annotations

import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.graph import constant, input_of, integer, ints, nodes, sizes, string
from convert.rewrites.note import RewriteNote

NAME = "local_response_norm"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Find such divisions."""
    notes = []
    for node in nodes(model, "Div"):
        x = node.inputs[0]
        found = _matched(node, x)
        if x is None or found is None:
            continue
        size, attributes = found
        if size % 2 == 0:
            notes.append(RewriteNote(NAME, describe(node), False, f"{size} channels, an even number, lean to one side"))
            continue
        _replace(node, x, attributes)
        notes.append(RewriteNote(NAME, describe(node), True, f"the mean of squares over {size} channels"))
    return tuple(notes)


def _replace(node: ir.Node, x: ir.Value, attributes: list[ir.Attr]) -> None:
    node.op_type = "LRN"
    node.resize_inputs(1)
    node.replace_input_with(0, x)
    node.attributes.clear()
    node.attributes.update({attribute.name: attribute for attribute in attributes})


def _matched(node: ir.Node, x: ir.Value | None) -> tuple[int, list[ir.Attr]] | None:
    """The number of channels and LRN's attributes, if the divisor is such a norm of ``x``."""
    power, beta = _with_scalar(input_of(node, 1), "Pow")
    total, bias = _with_scalar(power, "Add")
    mean, alpha = _with_scalar(total, "Mul")
    size = _pooled_channels(mean, x)
    if size is None or alpha is None or bias is None or beta is None:
        return None
    values = (("alpha", alpha), ("beta", beta), ("bias", bias))
    return size, [ir.AttrInt64("size", size), *(ir.AttrFloat32(name, value) for name, value in values)]


def _with_scalar(value: ir.Value | None, op_type: str) -> tuple[ir.Value | None, float | None]:
    """The tensor and the scalar of ``tensor op scalar``; for operators that commute in either order."""
    node = _made_by(value, op_type)
    if node is None:
        return None, None
    for tensor, scalar in ((0, 1),) if op_type == "Pow" else ((0, 1), (1, 0)):
        number = constant(input_of(node, scalar))
        if number is not None and number.size == 1:
            return node.inputs[tensor], float(number.reshape(-1)[0])
    return None, None


def _pooled_channels(mean: ir.Value | None, x: ir.Value | None) -> int | None:
    """Over how many channels of ``x`` the squares are averaged; ``None`` when this is no such average."""
    shape = sizes(x)
    dropped = _made_by(mean, "Squeeze", "Reshape")
    pool = _made_by(input_of(dropped, 0) if dropped else None, "AveragePool")
    if shape is None or pool is None or len(shape) not in (3, 4) or None in shape[1:] or sizes(mean) != shape:
        return None
    kernel, ones = ints(pool, "kernel_shape", ()), (1,) * (len(shape) - 1)
    if kernel[1:] != ones[1:] or ints(pool, "strides", ones) != ones or integer(pool, "ceil_mode", 0):
        return None
    if any(ints(pool, "pads", ())) or ints(pool, "dilations", ones) != ones:
        return None
    if string(pool, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    return kernel[0] if _is_padded_square(pool.inputs[0], x, kernel[0]) else None


def _is_padded_square(padded: ir.Value | None, x: ir.Value | None, size: int) -> bool:
    """Whether ``padded`` is x² with an axis before its channels, and the zeros that torch pads these with."""
    pad = _made_by(padded, "Pad")
    split = _made_by(input_of(pad, 0) if pad else None, "Reshape", "Unsqueeze")
    square = _made_by(input_of(split, 0) if split else None, "Mul")
    if pad is None or split is None or square is None or list(square.inputs) != [x, x]:
        return False
    shape, apart = sizes(x), sizes(split.outputs[0])
    if shape is None or apart is None or apart[1:] != (1, *shape[1:]) or input_of(pad, 3) is not None:
        return False
    amounts, value = constant(input_of(pad, 1)), constant(input_of(pad, 2))
    rank, zero = len(apart), input_of(pad, 2) is None or (value is not None and not value.any())
    wanted = [0] * (2 * rank)
    wanted[2], wanted[rank + 2] = size // 2, (size - 1) // 2
    return amounts is not None and amounts.tolist() == wanted and zero and string(pad, "mode", "constant") == "constant"


def _made_by(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    node = None if value is None else value.producer()
    return node if node is not None and node.op_type in op_types and node.domain in ("", "ai.onnx") else None
