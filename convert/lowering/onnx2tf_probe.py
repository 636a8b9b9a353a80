"""A seeded random input for onnx2tf, and what it tells of the axis order of the model that onnx2tf made."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.errors import LoweringFailed
from verify.signature import BATCH, Signature, TensorSpec, channels_last_permutation

Array = npt.NDArray[np.generic]

_BATCH = 2
"""With a batch of 1, onnx2tf bakes the 1 into reshapes."""
_OTHER_DYNAMIC_SIZE = 16
_AGREES_DB = 40.0
"""Where two orders of the axes agree with the ONNX file this well, or none does, nothing is assumed."""


@dataclass(frozen=True)
class Probe:
    """Inputs by name in PyTorch layout, and how onnx2tf wants each: channels-last for 4-D and 5-D, else as it is."""

    arrays: dict[str, Array]

    def permutation(self, spec: TensorSpec) -> tuple[int, ...] | None:
        """From the PyTorch layout to the one that the Keras model takes."""
        return channels_last_permutation(len(spec.shape))

    def fed(self, spec: TensorSpec) -> Array:
        """The input as the Keras model takes it."""
        axes = self.permutation(spec)
        array = self.arrays[spec.name]
        return array if axes is None else np.ascontiguousarray(array.transpose(axes))


def make_probe(signature: Signature) -> Probe:
    """Standard normal floats; zeros and ones for integers, which are in range for any table of two rows or more."""
    random = np.random.default_rng(0)
    return Probe({spec.name: _draw(spec, random) for spec in signature.inputs})


def _draw(spec: TensorSpec, random: np.random.Generator) -> Array:
    shape = [size if isinstance(size, int) else _dynamic(size, axis) for axis, size in enumerate(spec.torch_shape)]
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    return random.integers(0, 2, shape).astype(dtype)


def _dynamic(name: str, axis: int) -> int:
    return _BATCH if name == BATCH or axis == 0 else _OTHER_DYNAMIC_SIZE


def find_permutations(
    onnx_path: Path, keras_model: Any, probe: Probe, signature: Signature
) -> dict[str, tuple[int, ...]]:
    """For each output, the permutation from the PyTorch layout to what the Keras model gives, by comparing numbers.

    Raises ``LoweringFailed`` if under no permutation, or under several, the two models agree to 40 dB.
    """
    expected = _onnx_outputs(onnx_path, probe)
    given = keras_model([probe.fed(spec) for spec in signature.inputs], training=False)
    import tensorflow as tf

    actual = [np.asarray(output) for output in tf.nest.flatten(given)]
    if len(actual) != len(signature.outputs):
        raise LoweringFailed(
            f"onnx2tf made {len(actual)} outputs of {len(signature.outputs)}",
            fix="use the exact lowering (--lowering exact)",
        )
    return {
        spec.name: find_permutation(spec.name, expected[spec.name], array)
        for spec, array in zip(signature.outputs, actual, strict=True)
    }


def find_permutation(name: str, expected: Array, actual: Array) -> tuple[int, ...]:
    """The one permutation with ``actual == expected.transpose(permutation)``."""
    fitting = [
        axes
        for axes in itertools.permutations(range(expected.ndim))
        if axes[:1] in ((0,), ()) and expected.transpose(axes).shape == actual.shape
    ]
    scores = {axes: _sqnr_db(expected.transpose(axes), actual) for axes in fitting}
    agreeing = [axes for axes, score in scores.items() if score >= _AGREES_DB]
    if len(agreeing) == 1:
        return agreeing[0]
    best = f"{max(scores.values()):.1f} dB" if scores else f"shape {actual.shape} against {expected.shape}"
    how = f"under {len(agreeing)} orders of its axes" if agreeing else f"under no order of its axes (best: {best})"
    raise LoweringFailed(
        f"onnx2tf's model and the ONNX file agree on output {name!r} {how}; expected exactly one at {_AGREES_DB:g} dB",
        fix="use the exact lowering (--lowering exact)",
    )


def _onnx_outputs(onnx_path: Path, probe: Probe) -> dict[str, Array]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, probe.arrays), strict=True))


def _sqnr_db(expected: Array, actual: Array) -> float:
    signal = np.asarray(expected, np.float64)
    noise = signal - np.asarray(actual, np.float64)
    power, error = float(np.sum(signal**2)), float(np.sum(noise**2))
    if not np.isfinite(error) or power == 0:
        return -np.inf
    return np.inf if error == 0 else 10 * np.log10(power / error)
