"""Faults in the graph: layers skipped, operators exchanged, maps transposed or shifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify.faults.fault import Fault, NotApplicable, Subject, pick
from verify.faults.model import Model, Node, Step, Tensor

_ACTIVATIONS = (
    "RELU", "RELU6", "LEAKY_RELU", "ELU", "HARD_SWISH", "GELU", "TANH", "LOGISTIC", "PRELU",
    "Relu", "Clip", "LeakyRelu", "Elu", "HardSwish", "Gelu", "Tanh", "Sigmoid", "HardSigmoid", "PRelu",
)  # fmt: skip
_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "Conv", "Gemm", "MatMul", "SOFTMAX", "Softmax")
_RELU, _RELU6, _NONE = 1, 3, 0


@dataclass(frozen=True)
class LayerSkipped:
    """A layer whose input has the shape of its output, left out."""

    kind: str = "layer_skipped"
    title: str = "a layer left out"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One layer that fits."""
        model = subject.model
        fitting = [node for node in model.of_kind(*_LAYERS) if _keeps_shape(model, node)]
        node = pick(random, fitting, "no layer's input has the shape of its output")
        model.bypass(node)
        return node.label


def _keeps_shape(model: Model, node: Node) -> bool:
    first = node.inputs[0]
    if first is None or model.constant(first) is not None or len(node.outputs) != 1:
        return False
    given = model.shape(node.outputs[0])
    return given is not None and model.shape(first) == given and _float_alike(model, first, node.outputs[0])


def _float_alike(model: Model, one: Tensor, other: Tensor) -> bool:
    return model.is_float(one) == model.is_float(other)


@dataclass(frozen=True)
class ActivationDropped:
    """No activation where one is meant, be it fused or an operator."""

    kind: str = "activation_dropped"
    title: str = "an activation function left out"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """A fused one or an operator."""
        model = subject.model
        fused = [node for node in model.nodes if model.attribute(node, "fusedActivationFunction") in {_RELU, _RELU6}]
        node = pick(random, [*fused, *model.of_kind(*_ACTIVATIONS)], "it has no activation function")
        if node in fused:
            model.set_attribute(node, "fusedActivationFunction", _NONE)
        else:
            model.bypass(node)
        return node.label


@dataclass(frozen=True)
class Relu6Unbounded:
    """ReLU where ReLU6 is meant."""

    kind: str = "relu6_unbounded"
    title: str = "ReLU where ReLU6 is meant"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:  # noqa: ARG002 - nothing to choose
        """All of them: that of one layer alone may never be reached."""
        model = subject.model
        fused = [node for node in model.nodes if model.attribute(node, "fusedActivationFunction") == _RELU6]
        clips = [node for node in model.of_kind("Clip") if len(node.inputs) > 2 and node.inputs[2] is not None]
        operators = model.of_kind("RELU6")
        found = [*fused, *clips, *operators]
        if not found:
            raise NotApplicable("it has no ReLU6")
        for node in fused:
            model.set_attribute(node, "fusedActivationFunction", _RELU)
        for node in operators:
            model.set_kind(node, "RELU")
        for node in clips:
            model.drop_input(node, 2)
        return f"{found[0].label} and {len(found) - 1} more"


@dataclass(frozen=True)
class ShortcutDropped:
    """One operand of an addition left out."""

    kind: str = "shortcut_dropped"
    title: str = "one side of an addition left out"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """An addition of two activations of one shape."""
        model = subject.model
        sums = [
            node
            for node in model.of_kind("ADD", "Add")
            if all(tensor is not None and model.constant(tensor) is None for tensor in node.inputs)
            and _keeps_shape(model, node)
        ]
        node = pick(random, sums, "it adds no two activations")
        model.bypass(node, kept=0)
        return node.label


@dataclass(frozen=True)
class KindSwapped:
    """One operator in the place of another that takes and gives the same shapes."""

    kind: str
    title: str
    kinds: tuple[tuple[str, str], ...]

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One operator."""
        replaced = dict(self.kinds)
        node = pick(random, subject.model.of_kind(*replaced), f"it has no {' or '.join(sorted(replaced))}")
        subject.model.set_kind(node, replaced[node.kind])
        return f"{node.label} is {replaced[node.kind]}"


@dataclass(frozen=True)
class Spliced:
    """An activation that is moved in space before the next operator reads it."""

    kind: str
    title: str
    step: Step
    square: bool

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """What some convolution or pool reads."""
        model = subject.model
        readers = model.of_kind(
            "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D", "TRANSPOSE_CONV",
            "Conv", "MaxPool", "AveragePool", "ConvTranspose",
        )  # fmt: skip
        place = {"TRANSPOSE_CONV": 2}
        read = [(node, node.inputs[place.get(node.kind, 0)]) for node in readers]
        found = [(node, at) for node, at in read if at is not None and model.is_image(at, square=self.square)]
        node, tensor = pick(random, found, f"no layer reads a {'square ' if self.square else ''}map of fixed size")
        model.splice(tensor, self.step)
        return f"what {node.label} reads"


@dataclass(frozen=True)
class OperandsSwapped:
    """The operands of an operation that is not commutative, or the parts of a concatenation, in the wrong order."""

    kind: str = "operands_swapped"
    title: str = "the operands of a concatenation, subtraction or division in the wrong order"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One operator whose first two operands are activations."""
        model = subject.model
        nodes = model.of_kind("CONCATENATION", "Concat", "SUB", "Sub", "DIV", "Div")
        found = [
            node
            for node in nodes
            if len(node.inputs) > 1
            and node.inputs[0] != node.inputs[1]
            and all(model.constant(tensor) is None for tensor in node.inputs[:2])
        ]
        node = pick(random, found, "it neither concatenates, subtracts nor divides two activations")
        raw = node.raw.inputs if hasattr(node.raw, "inputs") else node.raw.input
        raw[0], raw[1] = node.inputs[1], node.inputs[0]
        return node.label


WIRING_FAULTS: tuple[Fault, ...] = (
    LayerSkipped(),
    ActivationDropped(),
    Relu6Unbounded(),
    ShortcutDropped(),
    KindSwapped(
        "pool_kind",
        "an average pool where a maximum is meant, or the other way round",
        (
            ("MAX_POOL_2D", "AVERAGE_POOL_2D"),
            ("AVERAGE_POOL_2D", "MAX_POOL_2D"),
            ("MaxPool", "AveragePool"),
            ("AveragePool", "MaxPool"),
            ("MEAN", "REDUCE_MAX"),
            ("ReduceMean", "ReduceMax"),
        ),
    ),
    Spliced("map_height_width", "height and width of a map exchanged", Step.HEIGHT_WIDTH, square=True),
    Spliced("map_shifted", "a map one row too low, as padding off by one makes it", Step.LATER_ROW, square=False),
    OperandsSwapped(),
)
