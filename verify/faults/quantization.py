"""Faults in scales and zero points; a float layer's weights have a scale of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify.faults.fault import Fault, NotApplicable, Subject, pick
from verify.faults.model import Step
from verify.faults.tflite_model import TfliteModel


@dataclass(frozen=True)
class WeightScale:
    """A layer's weights × 1.01: in a quantized file by their scales."""

    kind: str = "weight_scale"
    title: str = "the scale of a layer's weights × 1.01"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One layer."""
        model = subject.model
        weight = pick(random, model.weights(), "it has no constant weights")
        values = model.constant(weight.tensor)
        assert values is not None
        parameters = model.quantization(weight.tensor) if isinstance(model, TfliteModel) else None
        if np.issubdtype(values.dtype, np.floating):
            model.set_constant(weight.tensor, (values * 1.01).astype(values.dtype))
        elif parameters is not None and isinstance(model, TfliteModel):
            model.set_quantization(weight.tensor, (parameters[0] * 1.01).astype(np.float32), parameters[1])
        else:
            raise NotApplicable("its weights are integers without a scale")
        return f"the weights of {weight.node.label}"


@dataclass(frozen=True)
class ChannelScales:
    """Per-channel scales that stand one channel off."""

    kind: str = "channel_scales_shifted"
    title: str = "every channel's weights have the next channel's scale"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One layer that is quantized per channel."""
        model = subject.model
        found = []
        for weight in model.weights() if isinstance(model, TfliteModel) else ():
            parameters = model.quantization(weight.tensor) if isinstance(model, TfliteModel) else None
            if parameters is not None and len(parameters[0]) > 1:
                found.append((weight, parameters))
        weight, (scale, zero_point) = pick(random, found, "no weights are quantized per channel")
        assert isinstance(model, TfliteModel)
        model.set_quantization(weight.tensor, np.roll(scale, 1), zero_point)
        return f"the weights of {weight.node.label}"


@dataclass(frozen=True)
class Misread:
    """Activations that the reading operator takes for others: with another zero point, or another scale."""

    kind: str
    title: str
    step: Step

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """The input of one layer."""
        model = subject.model
        layers = [weight.node for weight in model.weights()]
        found = [node for node in layers if node.inputs[0] is not None and _quantized(model, node.inputs[0])]
        node = pick(random, found, "no layer takes quantized activations")
        assert node.inputs[0] is not None
        model.splice(node.inputs[0], self.step)
        return f"what {node.label} reads"


def _quantized(model: object, tensor: int | str) -> bool:
    if not isinstance(model, TfliteModel) or model.is_float(tensor):
        return False
    parameters = model.quantization(tensor)
    return parameters is not None and len(parameters[0]) == 1


QUANTIZATION_FAULTS: tuple[Fault, ...] = (
    WeightScale(),
    ChannelScales(),
    Misread("zero_point_plus_one", "activations read with their zero point + 1", Step.ZERO_POINT),
    Misread("activation_scale", "activations read with a scale 1.1 times as large", Step.SCALE),
)
