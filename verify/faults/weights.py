"""Faults in weights: one value, a whole tensor, a channel, an axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from verify.faults.fault import Fault, NotApplicable, Subject, pick
from verify.faults.model import Array, Model, Weight

_NO_WEIGHTS = "it has no constant weights"


@dataclass(frozen=True)
class Layer:
    """One layer's weights, and where chance comes from."""

    weight: Weight
    values: Array
    random: np.random.Generator


@dataclass(frozen=True)
class WeightFault:
    """Other values for the weights of one layer. ``change`` gives them, or raises :class:`NotApplicable`."""

    kind: str
    title: str
    change: Callable[[Layer], Array]

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """Layers are tried in random order until one takes the fault."""
        weights = subject.model.weights()
        reason = _NO_WEIGHTS
        for at in random.permutation(len(weights)):
            weight = weights[int(at)]
            values = subject.model.constant(weight.tensor)
            assert values is not None
            try:
                changed = self.change(Layer(weight, values, random))
            except NotApplicable as refusal:
                reason = str(refusal)
                continue
            if np.array_equal(changed, values):
                reason = "it leaves every layer's weights as they are"
                continue
            subject.model.set_constant(weight.tensor, changed.astype(values.dtype))
            return f"the weights of {weight.node.label}"
        raise NotApplicable(reason)


def _at_a_large_one(layer: Layer, change: Callable[[float], float]) -> Array:
    """Change one of the larger half of the values."""
    flat = layer.values.ravel().copy()
    order = np.argsort(np.abs(flat.astype(np.float64)))
    at = int(order[int(layer.random.integers(len(flat) // 2, len(flat)))])
    flat[at] = change(float(flat[at]))
    return flat.reshape(layer.values.shape)


def _not_finite(value: float) -> Callable[[Layer], Array]:
    def change(layer: Layer) -> Array:
        if not np.issubdtype(layer.values.dtype, np.floating):
            raise NotApplicable("its weights are integers, which hold neither NaN nor infinity")
        return _at_a_large_one(layer, lambda _: value)

    return change


def _sign(layer: Layer) -> Array:
    return _at_a_large_one(layer, lambda value: -value)


def _slightly_larger(layer: Layer) -> Array:
    if np.issubdtype(layer.values.dtype, np.integer):  # a step is the least that can be changed
        return _at_a_large_one(layer, lambda value: value - 1 if value > 0 else value + 1)
    return _at_a_large_one(layer, lambda value: value * 1.01)


def _float16(layer: Layer) -> Array:
    if layer.values.dtype != np.float32:
        raise NotApplicable("its weights are not float32")
    return layer.values.astype(np.float16).astype(np.float32)


def _channel_zeroed(layer: Layer) -> Array:
    changed = np.moveaxis(layer.values.copy(), layer.weight.out_axis, 0)
    changed[int(layer.random.integers(len(changed)))] = 0
    return np.moveaxis(changed, 0, layer.weight.out_axis)


def _channels_swapped(layer: Layer) -> Array:
    axis = layer.weight.out_axis
    if layer.values.shape[axis] < 2:
        raise NotApplicable("its layers have one output channel")
    one, other = layer.random.choice(layer.values.shape[axis], 2, replace=False)
    changed = np.moveaxis(layer.values.copy(), axis, 0)
    changed[[one, other]] = changed[[other, one]]
    return np.moveaxis(changed, 0, axis)


def _height_width(layer: Layer) -> Array:
    spatial, shape = layer.weight.spatial, layer.values.shape
    if spatial is None or shape[spatial[0]] != shape[spatial[1]]:
        raise NotApplicable("it has no square convolution kernel")
    return layer.values.swapaxes(*spatial)


def _transposed(layer: Layer) -> Array:
    inward, outward, shape = layer.weight.in_axis, layer.weight.out_axis, layer.values.shape
    if inward is None or shape[inward] != shape[outward]:
        raise NotApplicable("no layer has as many inputs as outputs")
    return layer.values.swapaxes(inward, outward)


@dataclass(frozen=True)
class ChannelsReversed:
    """Blue, green and red where red, green and blue are meant: the first layer's input channels in reverse order."""

    kind: str = "input_channels_reversed"
    title: str = "the channels of the input in reverse order (BGR for RGB)"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:  # noqa: ARG002 - nothing to choose
        """The first layer with more than one input channel."""
        for weight in subject.model.weights():
            values = subject.model.constant(weight.tensor)
            assert values is not None
            if weight.in_axis is not None and values.shape[weight.in_axis] > 1:
                subject.model.set_constant(weight.tensor, np.flip(values, weight.in_axis))
                return f"the input channels of {weight.node.label}"
        raise NotApplicable("no layer has more than one input channel")


@dataclass(frozen=True)
class BiasDropped:
    """A layer without its bias."""

    kind: str = "bias_dropped"
    title: str = "a bias left out"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """A layer whose bias is not all zeros."""
        weight, bias = _biased(subject.model, random)
        assert weight.bias is not None
        subject.model.set_constant(weight.bias, np.zeros_like(bias))
        return f"the bias of {weight.node.label}"


@dataclass(frozen=True)
class BiasRotated:
    """Biases that stand one channel off."""

    kind: str = "bias_shifted_by_a_channel"
    title: str = "every bias at the next channel"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """A layer whose bias is not all zeros."""
        weight, bias = _biased(subject.model, random)
        if bias.size < 2 or np.all(bias == bias.ravel()[0]):
            raise NotApplicable("its biases are alike")
        assert weight.bias is not None
        subject.model.set_constant(weight.bias, np.roll(bias, 1))
        return f"the bias of {weight.node.label}"


def _biased(model: Model, random: np.random.Generator) -> tuple[Weight, Array]:
    biases = [(weight, model.constant(weight.bias)) for weight in model.weights()]
    found = [(weight, values) for weight, values in biases if values is not None and values.any()]
    return pick(random, found, "no layer has a bias")


@dataclass(frozen=True)
class BatchNormEpsilon:
    """Another epsilon under the root of a normalisation.

    In an ONNX node it is an attribute, in TFLite the constant that is added before a RSQRT. Where it was folded away, a
    convolution is scaled by √((1 + 1e-5) / (1 + 1e-3)), which is what becomes of a channel of variance 1.
    """

    kind: str = "normalisation_epsilon"
    title: str = "a normalisation's epsilon is 1e-3 where 1e-5 is meant"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """A norm that still stands; else a layer with a folded one."""
        model = subject.model
        norms = model.of_kind("BatchNormalization", "LayerNormalization", "InstanceNormalization")
        if norms:
            node = pick(random, norms, "")
            model.set_attribute(node, "epsilon", 1e-3)
            return f"the epsilon of {node.label}"
        roots = [tensor for node in model.of_kind("RSQRT", "Sqrt", "SQRT") for tensor in node.inputs]
        sums = [node for node in model.of_kind("ADD", "Add") if node.outputs[0] in roots]
        for node in sums:
            for tensor in node.inputs:
                values = model.constant(tensor)
                if tensor is not None and values is not None and values.dtype == np.float32:
                    model.set_constant(tensor, np.full_like(values, 1e-3))
                    return f"the constant of {node.label}"
        return self._folded(model, random)

    def _folded(self, model: Model, random: np.random.Generator) -> str:
        layers = [weight for weight in model.weights() if weight.spatial is not None and weight.bias is not None]
        floats = [weight for weight in layers if model.is_float(weight.tensor)]
        weight = pick(random, floats, "it has no normalisation and no float convolution into which one was folded")
        values = model.constant(weight.tensor)
        assert values is not None
        model.set_constant(weight.tensor, (values * math.sqrt((1 + 1e-5) / (1 + 1e-3))).astype(values.dtype))
        return f"folded into {weight.node.label}"


WEIGHT_FAULTS: tuple[Fault, ...] = (
    WeightFault("nan_weight", "one weight is NaN", _not_finite(math.nan)),
    WeightFault("infinite_weight", "one weight is infinite", _not_finite(math.inf)),
    WeightFault("weight_sign", "one weight has the other sign", _sign),
    WeightFault("weight_slightly_larger", "one weight × 1.01 (of integers: one step off)", _slightly_larger),
    WeightFault("float16_weights", "a layer's weights rounded to float16", _float16),
    WeightFault("channel_zeroed", "one output channel is zero", _channel_zeroed),
    WeightFault("channels_swapped", "two output channels of a layer exchanged", _channels_swapped),
    WeightFault("kernel_height_width", "a kernel's height and width exchanged", _height_width),
    WeightFault("weights_transposed", "a layer's weights transposed", _transposed),
    ChannelsReversed(),
    BiasDropped(),
    BiasRotated(),
    BatchNormEpsilon(),
)
