"""A padded MaxPool → Pad with numbers that never win, and an unpadded MaxPool.

Matches a float MaxPool whose padding is not what TensorFlow's SAME does on its own. TFLite has no other padding for
pools, so the padding becomes an op, and its minus infinity a number: -3.4e38, after which the int8 scale of the layer
before is 1e36 and the file does not load (ResNet18, ResNet50, GoogLeNet, ShuffleNetV2 in TensorFlow's quantizer).

Exact, because padding takes part in a maximum only where it is larger than every element in the window:

1. Input provably not below a bound (0 after Relu, Clip, Sigmoid, pools and concatenations of those …): pad with it.
2. Else mirrored padding, where each mirrored element is in every window that sees its copy: ``reflect`` copies element
   ``p`` to ``-p``, and a window that starts at ``-p`` reaches ``kernel - 1 - p``, so ``2 p ≤ kernel - 1`` suffices.
3. Else, for padding of 1 (kernel 2), ``edge``: the copy of element 0 at -1 is only seen by windows that see element 0.

Before that, ``ceil_mode`` and end padding that no window reaches become the padding that the windows cover, which is
often none or SAME (GoogLeNet, SqueezeNet: 3×3, stride 2, ceil_mode on an odd size).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.bounds import lower_bound
from convert.rewrites.graph import integer, ints, new_constant, nodes, opset, sizes, string
from convert.rewrites.note import RewriteNote

NAME = "padded_max_pool"
_FIRST_PAD_WITH_INPUTS = 11


@dataclass(frozen=True)
class Axis:
    """One spatial axis of a pool; ``size`` is ``None`` when it is dynamic."""

    size: int | None
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def extent(self) -> int:
        return (self.kernel - 1) * self.dilation + 1

    def covered(self, *, ceil_mode: bool) -> Axis:
        """The same windows, with the padding after ending where the last window ends."""
        if self.size is None:
            return self
        span = self.size + self.before + self.after - self.extent
        count = (-(-span // self.stride) if ceil_mode else span // self.stride) + 1
        if ceil_mode and (count - 1) * self.stride >= self.size + self.before:
            count -= 1  # a window may not start in the padding after
        after = max((count - 1) * self.stride + self.extent - self.size - self.before, 0)
        return Axis(self.size, self.kernel, self.stride, self.dilation, self.before, after)

    @property
    def is_same(self) -> bool:
        """Whether TensorFlow's SAME pads just like this."""
        if self.size is None:
            return self.stride == 1 and (self.before, self.after) == ((self.extent - 1) // 2, self.extent // 2)
        total = max((-(-self.size // self.stride) - 1) * self.stride + self.extent - self.size, 0)
        return (self.before, self.after) == (total // 2, total - total // 2)

    @property
    def every_window_sees_an_element(self) -> bool:
        """Whether no window lies in the padding alone, where ONNX gives minus infinity."""
        if self.dilation == 1:
            return max(self.before, self.after) < self.kernel
        if self.size is None:
            return False
        starts = range(-self.before, self.size + self.after - self.extent + 1, self.stride)
        offsets = range(0, self.extent, self.dilation)
        return all(any(0 <= start + offset < self.size for offset in offsets) for start in starts)

    @property
    def can_reflect(self) -> bool:
        widest = max(self.before, self.after)
        long_enough = self.size is None or self.size > widest
        return self.dilation == 1 and 2 * widest <= self.kernel - 1 and long_enough


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Rewrite every padded MaxPool that allows it; see the module's text for the rules."""
    notes = (_rewrite_one(node, opset(model)) for node in nodes(model, "MaxPool"))
    return tuple(note for note in notes if note is not None)


def _rewrite_one(node: ir.Node, version: int) -> RewriteNote | None:
    declared = axes_of(node)
    if declared is None:
        return _declined(
            node, "its kernel_shape, its input's rank, or auto_pad on a dynamic size leaves the padding unknown"
        )
    ceil_mode = bool(integer(node, "ceil_mode", 0))
    if ceil_mode and any(axis.size is None for axis in declared):
        return _declined(node, "ceil_mode on a spatial size that is dynamic")
    axes = tuple(axis.covered(ceil_mode=ceil_mode) for axis in declared)
    _set_padding(node, axes)
    if not any(axis.before or axis.after for axis in axes) or all(axis.is_same for axis in axes):
        return None
    return _pad_explicitly(node, axes, version)


@dataclass(frozen=True)
class Filling:
    """What to pad with: an ONNX Pad mode, its value if that is ``constant``, and why no maximum changes."""

    mode: str
    value: float | None
    why: str


def _pad_explicitly(node: ir.Node, axes: tuple[Axis, ...], version: int) -> RewriteNote:
    shown = ", ".join(f"({axis.before}, {axis.after})" for axis in axes)
    reason = _obstacle(node, axes, version)
    if reason is not None:
        return _declined(node, f"padding {shown}: {reason}")
    filling = _filling(node, axes)
    if filling is None:
        kernel = "×".join(str(axis.kernel) for axis in axes)
        return _declined(node, f"padding {shown}: the input may be negative, and half of the kernel {kernel} is less")
    _insert_pad(node, axes, filling)
    return RewriteNote(NAME, describe(node), True, f"padding {shown} {filling.why}")


def _obstacle(node: ir.Node, axes: tuple[Axis, ...], version: int) -> str | None:
    source = node.inputs[0]
    if version < _FIRST_PAD_WITH_INPUTS:
        return f"opset {version} has no Pad with inputs; export at opset {_FIRST_PAD_WITH_INPUTS} or later"
    if source is None or source.dtype not in (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE):
        return f"the input is {'missing' if source is None else source.dtype}, not float"
    if not all(axis.every_window_sees_an_element for axis in axes):
        return "there are windows without an element of the input"
    return None


def _filling(node: ir.Node, axes: tuple[Axis, ...]) -> Filling | None:
    bound = lower_bound(node.inputs[0])
    if bound is not None:
        return Filling("constant", bound, f"with {bound:g}, which no input is below")
    if all(axis.can_reflect for axis in axes):
        return Filling("reflect", None, "reflects elements that the windows hold anyway")
    if all(axis.dilation == 1 and max(axis.before, axis.after) <= 1 for axis in axes):
        return Filling("edge", None, "repeats the edge that the windows hold anyway")
    return None


def axes_of(node: ir.Node) -> tuple[Axis, ...] | None:
    """The spatial axes of a pool as it declares them; ``None`` where its padding is not known."""
    shape = sizes(node.inputs[0])
    kernel = ints(node, "kernel_shape", ())
    if shape is None or len(kernel) != len(shape) - 2:
        return None
    rank = len(kernel)
    strides, dilations = ints(node, "strides", (1,) * rank), ints(node, "dilations", (1,) * rank)
    pads = ints(node, "pads", (0,) * (2 * rank))
    mode = string(node, "auto_pad", "NOTSET")
    bare = [Axis(*of_axis, 0, 0) for of_axis in zip(shape[2:], kernel, strides, dilations, strict=True)]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pads = _automatic_pads(bare, upper=mode == "SAME_UPPER")
    if mode == "VALID":
        pads = (0,) * (2 * rank)
    if not pads:
        return None
    return tuple(
        Axis(axis.size, axis.kernel, axis.stride, axis.dilation, pads[index], pads[index + rank])
        for index, axis in enumerate(bare)
    )


def _automatic_pads(axes: list[Axis], *, upper: bool) -> tuple[int, ...]:
    totals = []
    for axis in axes:
        if axis.size is None:
            return ()
        totals.append(max((-(-axis.size // axis.stride) - 1) * axis.stride + axis.extent - axis.size, 0))
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (*small, *large) if upper else (*large, *small)


def _set_padding(node: ir.Node, axes: tuple[Axis, ...]) -> None:
    node.attributes["pads"] = ir.AttrInt64s("pads", [*(axis.before for axis in axes), *(axis.after for axis in axes)])
    for stated_by_pads in ("auto_pad", "ceil_mode"):
        node.attributes.pop(stated_by_pads, None)


def _insert_pad(node: ir.Node, axes: tuple[Axis, ...], filling: Filling) -> None:
    source = node.inputs[0]
    assert source is not None
    assert source.dtype is not None
    assert source.shape is not None
    assert node.graph is not None
    amounts = [0, 0, *(axis.before for axis in axes), 0, 0, *(axis.after for axis in axes)]
    inputs = [source, new_constant(node, np.array(amounts, np.int64), "pads")]
    if filling.value is not None:
        inputs.append(new_constant(node, np.array(filling.value, source.dtype.numpy()), "pad_value"))
    pad = ir.node(
        "Pad", inputs, {"mode": filling.mode}, name=f"{node.name}.pad", metadata_props=dict(node.metadata_props)
    )
    padded = [None if axis.size is None else axis.before + axis.size + axis.after for axis in axes]
    output = pad.outputs[0]
    output.name, output.dtype = f"{node.outputs[0].name}.padded", source.dtype
    output.shape = ir.Shape([*source.shape[:2], *padded])
    node.graph.insert_before(node, pad)
    node.replace_input_with(0, output)
    node.attributes["pads"] = ir.AttrInt64s("pads", [0] * (2 * len(axes)))


def _declined(node: ir.Node, reason: str) -> RewriteNote:
    return RewriteNote(NAME, describe(node), False, reason)
