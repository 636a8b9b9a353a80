"""Sliding windows (convolutions and pools): ONNX's padding attributes as what TensorFlow's kernels take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from convert.layout.dims import Size
from convert.layout.value import Tensor
from convert.lowering.call import Call

Pads = tuple[tuple[int, int], ...]
"""Before and after, one pair a spatial axis."""


@dataclass(frozen=True)
class Window:
    """A window over the spatial axes."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pads
    ceil_mode: bool = False

    @property
    def extents(self) -> tuple[int, ...]:
        """How many input positions the window spans on each axis, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def is_padded(self) -> bool:
        """Whether anything is padded."""
        return any(before or after for before, after in self.pads)

    def is_same(self, sizes: Sequence[Size]) -> bool:
        """Whether TensorFlow's SAME pads exactly like this on an input of these spatial sizes."""
        return all(
            same_pads(size, extent, stride) == pads
            for size, extent, stride, pads in zip(sizes, self.extents, self.strides, self.pads, strict=True)
        )


def window_of(call: Call, kernel: Sequence[int], sizes: Sequence[Size]) -> Window:
    """The node's window over spatial ``sizes``, with ``auto_pad`` and ``ceil_mode`` resolved into pads."""
    rank = len(kernel)
    strides = call.integers("strides") or (1,) * rank
    dilations = call.integers("dilations") or (1,) * rank
    window = Window(tuple(kernel), strides, dilations, _declared_pads(call, rank), bool(call.integer("ceil_mode", 0)))
    auto_pad = call.text("auto_pad", "NOTSET")
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        return _with_pads(window, _automatic_pads(call, window, sizes, upper=auto_pad == "SAME_UPPER"))
    if auto_pad == "VALID":
        return _with_pads(window, ((0, 0),) * rank)
    return window


def _declared_pads(call: Call, rank: int) -> Pads:
    flat = call.integers("pads") or (0,) * (2 * rank)
    return tuple(zip(flat[:rank], flat[rank:], strict=True))


def _with_pads(window: Window, pads: Pads) -> Window:
    return Window(window.kernel, window.strides, window.dilations, pads, window.ceil_mode)


def _automatic_pads(call: Call, window: Window, sizes: Sequence[Size], *, upper: bool) -> Pads:
    pads = []
    for size, extent, stride in zip(sizes, window.extents, window.strides, strict=True):
        pair = same_pads(size, extent, stride)
        if pair is None:
            call.refuse("auto_pad with a stride needs a spatial size that is known now")
        pads.append(pair if upper else pair[::-1])
    return tuple(pads)


def same_pads(size: Size, extent: int, stride: int) -> tuple[int, int] | None:
    """What SAME pads before and after one axis; ``None`` if that depends on a dynamic size."""
    if isinstance(size, int):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    elif stride == 1:
        total = extent - 1
    else:
        return None
    return total // 2, total - total // 2


def covered(window: Window, sizes: Sequence[Size]) -> Window:
    """The same windows with pads that end where the last window ends.

    ``ceil_mode`` adds to the padding after; a last row that no window reaches (3×3, stride 2, pads (1, 1) on 224) is
    taken off, which makes padding smaller, and sometimes SAME. Dynamic sizes stay as they are.
    """
    pads = [
        _covered_axis(size, extent, stride, pad, ceil_mode=window.ceil_mode)
        for size, extent, stride, pad in zip(sizes, window.extents, window.strides, window.pads, strict=True)
    ]
    return Window(window.kernel, window.strides, window.dilations, tuple(pads), window.ceil_mode)


def _covered_axis(size: Size, extent: int, stride: int, pad: tuple[int, int], *, ceil_mode: bool) -> tuple[int, int]:
    if not isinstance(size, int):
        return pad
    before, after = pad
    span = size + before + after - extent
    count = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (count - 1) * stride >= size + before:
        count -= 1  # a window may not start in the padding after
    return before, max((count - 1) * stride + extent - size - before, 0)


def pad_spatial(tensor: Tensor, pads: Pads, value: float = 0.0) -> Tensor:
    """A channels-last tensor with its spatial axes padded."""
    if not any(before or after for before, after in pads):
        return tensor
    paddings = [[0, 0], *([before, after] for before, after in pads), [0, 0]]
    return tf.pad(tensor, paddings, constant_values=value) if value else tf.pad(tensor, paddings)
