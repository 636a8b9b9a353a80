"""Layer after layer: weights rounded to fit what enters the layer in the int8 model, biases to what leaves it.

The int8 model runs one op at a time, so that a layer sees the rounding of all layers before it, corrected already:
1906.04721's sequential bias correction (section 4.2), and GPTQ on quantized inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quantize.correction.decisions import MovedBias, RoundedWeights
from quantize.correction.entering import Looked, entering_means
from quantize.correction.gptq import LARGEST_INT4, LARGEST_INT8, Floats, round_columns
from quantize.correction.layers import Stored, as_columns, from_columns, some_rows
from quantize.correction.names import Correction
from quantize.correction.patches import BIAS_TYPES, moved_bias, packed
from quantize.correction.stepped_model import SteppedModel
from quantize.correction.unpacked import Weighted
from verify.runners.base import Batch
from verify.signature import Signature
from verify.stepping.contents import Array, constant, is_int4, name_of, replace_constant

FEWEST_ROWS, MOST_ROWS = 512, 2048
"""Of what enters a layer. The same places are looked at in both models, so their means differ by rounding alone."""
_ROWS_AN_INPUT = 4


@dataclass(frozen=True)
class Refined:
    """What became of weights and biases."""

    rounded: tuple[RoundedWeights, ...]
    biases: tuple[MovedBias, ...]


def refine(
    model: Path, int8: Path, signature: Signature, samples: Sequence[Batch], wanted: Collection[Correction]
) -> Refined:
    """What to do to the int8 file; ``samples`` are as the float model takes them, ``signature`` is the int8 file's."""
    stored_samples = [{spec.name: spec.from_torch(each[spec.name]) for spec in signature.inputs} for each in samples]
    exact, rounded = SteppedModel(model, ()), SteppedModel(int8, stored_samples)
    layers = _layers(exact, rounded, len(samples))
    means = entering_means(model, {name: each.looked for name, each in layers.items()}, samples)
    weights: list[RoundedWeights] = []
    biases: list[MovedBias] = []
    for name, each in layers.items():
        rounded.stepper.run_until(each.number)
        layer = _Layer(each, rounded, means[name])
        moves_bias = Correction.BIAS in wanted and each.op.bias >= 0
        chosen = layer.round(centred=moves_bias) if Correction.ROUND in wanted else each.stored
        if (chosen != each.stored).any():
            weights.append(RoundedWeights(name, packed(chosen - each.stored)))
            replace_constant(rounded.model, rounded.graph, each.op.weights, chosen)
        if moves_bias:
            biases += layer.move_bias(chosen)
    return Refined(tuple(weights), tuple(biases))


@dataclass(frozen=True)
class _Found:
    """A layer of the int8 file, the ``number``-th op there, with its weights as stored and as they were."""

    number: int
    op: Weighted
    stored: Array
    exact: Floats
    looked: Looked


def _layers(exact: SteppedModel, rounded: SteppedModel, samples: int) -> dict[str, _Found]:
    """Those with weights of their own, by the name of those, in the order of the int8 file."""
    original = exact.layers()
    found = {}
    for name, (number, op) in rounded.layers().items():
        stored = constant(rounded.model, rounded.graph, op.weights, np.int8)
        if stored is None or op.shared or name not in original:
            continue
        other = original[name][1]
        weights = constant(exact.model, exact.graph, other.weights)
        assert weights is not None
        inputs = as_columns(other, weights).shape[1]
        rows = -(-min(max(FEWEST_ROWS, _ROWS_AN_INPUT * inputs), MOST_ROWS) // samples)
        found[name] = _Found(number, op, stored, weights, Looked(other, weights.shape, rows))
    return found


class _Layer:
    """One layer of the int8 model, with what enters it there, and on average in the float model."""

    def __init__(self, found: _Found, rounded: SteppedModel, exact_mean: Floats) -> None:
        self._rounded, self._op, self._exact_mean = rounded, found.op, exact_mean
        self._shape: tuple[int, ...] = found.exact.shape
        self._weights: Floats = as_columns(found.op, found.exact)
        self._scales = np.array(rounded.graph.tensors[found.op.weights].quantization.scale, np.float32)
        stored, values = _stored(rounded.graph.tensors[found.op.input]), rounded.stepper.values(found.op.input)
        self._rows = some_rows(found.op, self._shape, values, stored, found.looked.rows * len(values))
        self._mean = self._rows.mean(axis=1, keepdims=True)

    def _by_output(self) -> Floats:
        """(groups, outputs): a scale of all weights counts for each output."""
        groups, outputs = self._weights.shape[0], self._weights.shape[2]
        return np.broadcast_to(self._scales, (groups * outputs,)).reshape(groups, outputs)

    def round(self, *, centred: bool) -> Array:
        """Stored weights; ``centred`` if the bias is to take up what changes in the mean."""
        rows = self._rows - self._mean if centred else self._rows
        largest = LARGEST_INT4 if is_int4(self._rounded.graph, self._op.weights) else LARGEST_INT8
        chosen = round_columns(self._weights, rows, self._by_output(), largest=largest)
        return from_columns(self._op, chosen, self._shape).astype(np.int8)

    def move_bias(self, chosen: Array) -> list[MovedBias]:
        """So that the layer's mean output is what it is in the float model."""
        tensor = self._rounded.graph.tensors[self._op.bias]
        kinds = (constant(self._rounded.model, self._rounded.graph, self._op.bias, kind) for kind in BIAS_TYPES)
        stored = next((each for each in kinds if each is not None), None)
        if stored is None:
            return []
        kept = as_columns(self._op, chosen.astype(np.float32)) * self._by_output()[:, None]
        by = (self._exact_mean @ self._weights - self._mean @ kept).astype(np.float32).reshape(-1)
        moved = moved_bias(stored, by, tensor.quantization.scale)
        replace_constant(self._rounded.model, self._rounded.graph, self._op.bias, moved)
        return [MovedBias(name_of(tensor), packed(by))]


def _stored(tensor: Any) -> Stored:
    if tensor.quantization is None or tensor.quantization.scale is None or not len(tensor.quantization.scale):
        return Stored()
    return Stored(float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))
