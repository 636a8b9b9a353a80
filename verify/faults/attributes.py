"""Faults in options and small constants: padding, strides, axes, slopes, modes of resizing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verify.faults import operands
from verify.faults.fault import Fault
from verify.faults.model import Model, Node
from verify.faults.options import Change, ConstantFault, FirstThatApplies, OptionFault

_POOLS = ("MAX_POOL_2D", "AVERAGE_POOL_2D")
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_PADDED = ("Conv", "MaxPool", "AveragePool", "ConvTranspose")
_ALONG_AN_AXIS = ("CONCATENATION", "PACK", "UNPACK", "Softmax", "Concat", "LogSoftmax")
_RESIZE_MODE = {"half_pixel": "align_corners", "pytorch_half_pixel": "align_corners", "asymmetric": "half_pixel"}


def _covers_several(model: Model, node: Node) -> bool:
    """Whether a convolution or pool looks at more than one pixel."""
    kernel = model.attribute(node, "kernel_shape") or (model.attribute(node, "filterHeight"),)
    if None in kernel:
        weights = model.constant(node.inputs[1])
        kernel = (2,) if weights is None else weights.shape[1:3]
    return bool(max(kernel) > 1)


def _is_padded(model: Model, node: Node) -> bool:
    return any(model.attribute(node, "pads") or ())


def _flipped(value: Any) -> Any:
    return None if value is None else type(value)(not value)


def _times(factor: float) -> Callable[[Any], Any]:
    return lambda value: None if value is None else float(value) * factor


def _other_padding(value: Any) -> Any:
    """SAME is 0 and VALID is 1."""
    return None if value is None else 1 - value


def _other_resize(mode: Any) -> Any:
    return _RESIZE_MODE.get(mode or "half_pixel")


def _no_pads(pads: Any) -> Any:
    return [0] * len(pads) if any(pads or ()) else None


def _pads_shifted(pads: Any) -> Any:
    """[1, 1, 1, 1] → [0, 0, 2, 2]: as much, but one to the side."""
    if pads is None or len(pads) != 4 or not any(pads[:2]):
        return None
    return [max(0, pads[0] - 1), max(0, pads[1] - 1), pads[2] + min(1, pads[0]), pads[3] + min(1, pads[1])]


def _doubled(value: Any) -> Any:
    if value is None:
        return None
    return [2 * size for size in value] if isinstance(value, tuple) else 2 * int(value)


def _another_stride(value: Any) -> Any:
    if value is None:
        return None
    new = [3 - int(size) if size in {1, 2} else 1 for size in (value if isinstance(value, tuple) else (value,))]
    return new if isinstance(value, tuple) else new[0]


def _another_axis(value: Any) -> Any:
    if value is None or isinstance(value, tuple):
        return None
    return {-1: -2, 1: 0, 0: 1}.get(int(value), int(value) - 1)


def _last_two_swapped(value: Any) -> Any:
    return None if value is None or len(value) < 3 else [*value[:-2], value[-1], value[-2]]


ATTRIBUTE_FAULTS: tuple[Fault, ...] = (
    FirstThatApplies(
        "padding_shifted",
        "padding off by one: one pixel less before, one more after",
        (
            OptionFault("", "", (Change(_PADDED, "pads", _pads_shifted),), "no operator has padding of its own"),
            ConstantFault("", "", ("PAD", "PADV2"), operands.paddings_shifted, "no operator has padding of its own"),
            ConstantFault("", "", ("Pad",), operands.pads_shifted, "no operator has padding of its own"),
        ),
    ),
    OptionFault(
        "padding_same_valid",
        "padding SAME where VALID is meant, or the other way round",
        (
            Change(
                (*_CONVOLUTIONS, *_POOLS),
                "padding",
                lambda value: None if value is None else 1 - value,
                _covers_several,
            ),
            Change(
                ("Conv", "MaxPool", "AveragePool"), "pads", lambda pads: [0] * len(pads) if any(pads or ()) else None
            ),
        ),
        "no operator that covers several pixels has padding",
    ),
    OptionFault(
        "stride",
        "a stride of 2 for 1, or of 1 for 2",
        (
            Change((*_CONVOLUTIONS, *_POOLS), "strideH", _another_stride),
            Change(("Conv", "MaxPool", "AveragePool", "ConvTranspose"), "strides", _another_stride),
        ),
        "no operator has a stride",
    ),
    OptionFault(
        "dilation",
        "a dilation twice as large",
        (
            Change(("CONV_2D", "DEPTHWISE_CONV_2D"), "dilationHFactor", _doubled, _covers_several),
            Change(("Conv",), "dilations", lambda value: _doubled(value or (1, 1)), _covers_several),
        ),
        "no convolution covers several pixels",
    ),
    OptionFault(
        "pool_counts_padding",
        "an average over the padding too",
        (Change(("AveragePool",), "count_include_pad", lambda value: 1 - (value or 0), _is_padded),),
        "no average pool has padding that it could count (TFLite's never counts it)",
    ),
    OptionFault(
        "resize_corners",
        "a resize with aligned corners where half-pixel centres are meant, or the other way round",
        (
            Change(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), "halfPixelCenters", _flipped),
            Change(("Resize",), "coordinate_transformation_mode", _other_resize),
        ),
        "it resizes nothing",
    ),
    FirstThatApplies(
        "leaky_slope",
        "the slope of a leaky ReLU × 1.5",
        (
            OptionFault(
                "",
                "",
                (Change(("LEAKY_RELU", "LeakyRelu", "Elu"), "alpha", _times(1.5)),),
                "it has neither a leaky nor a parametric ReLU",
            ),
            ConstantFault("", "", ("PRELU", "PRelu"), operands.steeper, "it has no parametric ReLU"),
        ),
    ),
    OptionFault(
        "local_normalisation",
        "the constant of a local response normalisation × 1.5",
        (
            Change(("LOCAL_RESPONSE_NORMALIZATION",), "alpha", _times(1.5)),
            Change(("LRN",), "alpha", _times(1.5)),
        ),
        "it has no local response normalisation",
    ),
    OptionFault(
        "softmax_temperature",
        "a softmax with a temperature",
        (Change(("SOFTMAX",), "beta", _times(1.1)),),
        "it has no softmax with a factor of its own",
    ),
    OptionFault(
        "gelu_approximated",
        "the tanh approximation of GELU where the exact one is meant, or the other way round",
        (
            Change(("GELU",), "approximate", _flipped),
            Change(("Gelu",), "approximate", lambda value: "none" if value == "tanh" else "tanh"),
        ),
        "it has no GELU",
    ),
    FirstThatApplies(
        "permutation",
        "a transposition of the wrong axes",
        (
            OptionFault("", "", (Change(("Transpose",), "perm", _last_two_swapped),), "it transposes nothing"),
            ConstantFault("", "", ("TRANSPOSE",), operands.another_permutation, "it transposes nothing"),
        ),
    ),
    FirstThatApplies(
        "axis",
        "a mean, sum, softmax or concatenation along the wrong axis",
        (
            ConstantFault(
                "",
                "",
                ("MEAN", "SUM", "REDUCE_MAX", "ReduceMean", "ReduceSum", "ReduceMax"),
                operands.another_reduced_axis,
                "no operator has an axis",
            ),
            OptionFault(
                "",
                "",
                (
                    Change(
                        ("CONCATENATION", "PACK", "UNPACK", "Softmax", "Concat", "LogSoftmax"), "axis", _another_axis
                    ),
                ),
                "no operator has an axis",
            ),
        ),
    ),
    ConstantFault(
        "scalar_slightly_larger",
        "a scalar constant × 1.01",
        ("ADD", "MUL", "SUB", "DIV", "Add", "Mul", "Sub", "Div"),
        operands.scalar_slightly_larger,
        "no operator has a scalar operand",
    ),
    ConstantFault(
        "table_shifted",
        "a table looked up one row off",
        ("GATHER", "Gather", "EMBEDDING_LOOKUP"),
        operands.table_rolled,
        "it looks nothing up in a table of floats",
    ),
)
