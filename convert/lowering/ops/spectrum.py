"""Fourier transforms as products with the matrix of the transform: TFLite has a kernel for one real form only."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from convert.layout.value import Array, Tensor, Value, constant
from convert.lowering.call import Call
from convert.lowering.registry import lowers

_LONGEST = 4096
"""A longer transform's matrix would be larger than 128 MB."""


@lowers("DFT", since=20)
def dft(call: Call) -> Value:
    """Along an axis given as an input, the last signal axis by default."""
    axis = int(call.require_constant(2, "the axis").item()) if call.has(2) else -2
    return _dft(call, axis)


@lowers("DFT", since=17)
def dft_by_attribute(call: Call) -> Value:
    """Along an axis given as an attribute."""
    return _dft(call, call.integer("axis", 1))


def _dft(call: Call, axis: int) -> Value:
    x = call.tensor(0)
    rank = x.shape.rank
    axis %= rank
    inverse, onesided = bool(call.integer("inverse", 0)), bool(call.integer("onesided", 0))
    if inverse and onesided:
        call.refuse("an inverse transform to one side, which operator sets define differently")
    given = x.shape[axis]
    length = int(call.require_constant(1, "the length").item()) if call.has(1) else given
    if given is None or length is None:
        call.refuse("a signal of dynamic length")
    order = [*(other for other in range(rank - 1) if other != axis), axis, rank - 1]
    y = _transformed(call, tf.transpose(x, order), int(length), inverse=inverse, onesided=onesided)
    return call.result(tf.transpose(y, [order.index(position) for position in range(rank)]))


def _transformed(call: Call, x: Tensor, length: int, *, inverse: bool, onesided: bool) -> Tensor:
    """``(…, n, 1 or 2)`` → ``(…, frequencies, 2)``; a longer signal is cut, a shorter one counts as padded."""
    if length > _LONGEST:
        call.refuse(f"{length} points; up to {_LONGEST} are transformed")
    used, parts = min(int(x.shape[-2]), length), int(x.shape[-1])
    shape = tf.shape(x)
    matrix = _matrix(used, length, parts, inverse=inverse, onesided=onesided)
    flat = tf.reshape(x[..., :used, :], [-1, used * parts])
    y = tf.matmul(flat, tf.constant(matrix, x.dtype))
    return tf.reshape(y, tf.concat([shape[:-2], [matrix.shape[1] // 2, 2]], 0))


def _matrix(used: int, length: int, parts: int, *, inverse: bool, onesided: bool) -> Array:
    """``(used · parts, frequencies · 2)``: real and imaginary parts side by side."""
    frequencies = length // 2 + 1 if onesided else length
    turns = np.outer(np.arange(used), np.arange(frequencies)) % length
    angle = (2 if inverse else -2) * np.pi * turns / length
    scale = 1 / length if inverse else 1.0
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    rows = [np.stack([cosine, sine], axis=-1), np.stack([-sine, cosine], axis=-1)][:parts]
    matrix: Array = np.stack(rows, axis=1).reshape(used * parts, frequencies * 2)
    return matrix


@lowers("STFT")
def stft(call: Call) -> Value:
    """Of windows of the signal ``(batch, length, 1 or 2)``, a step apart."""
    x = call.tensor(0)
    step = int(call.require_constant(1, "the step").item())
    window = call.value(2) if call.has(2) else None
    if call.has(3):
        length = int(call.require_constant(3, "the frame's length").item())
    else:
        length = int(window.sizes[0]) if window is not None and isinstance(window.sizes[0], int) else 0
    if not length or x.shape[1] is None:
        call.refuse("a signal or a window of dynamic length")
    starts = np.arange(0, int(x.shape[1]) - length + 1, step)
    frames = tf.gather(x, (starts[:, None] + np.arange(length)).astype(np.int32), axis=1)
    if window is not None:
        frames = frames * tf.reshape(call.tensor(2), [-1, 1])
    return call.result(_transformed(call, frames, length, inverse=False, onesided=bool(call.integer("onesided", 1))))


@lowers("MelWeightMatrix")
def mel_weight_matrix(call: Call) -> Value:
    """Triangles that overlap, evenly spaced on the mel scale, as ONNX's reference builds them."""
    bins, length, rate = (int(call.require_constant(index, "a size").item()) for index in range(3))
    low, high = (2595 * np.log10(1 + call.require_constant(index, "a bound").item() / 700) for index in (3, 4))
    mels = np.arange(bins + 2) * ((high - low) / (bins + 2)) + low
    edges = (((length + 1) * (700 * (10 ** (mels / 2595) - 1))) // rate).astype(int)
    matrix = np.zeros((length // 2 + 1, bins))
    for column, (left, centre, right) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        rising, falling = np.arange(left, centre + 1), np.arange(centre, right)
        matrix[rising, column] = (rising - left) / (centre - left) if centre > left else 1
        if right > centre:
            matrix[falling, column] = (right - falling) / (right - centre)
    return constant(matrix.astype(call.dtype("output_datatype").as_numpy_dtype))
