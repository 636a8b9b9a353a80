"""A model file that faults can be put into, whatever its format: nodes, constants, outputs, and a few edits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Tensor = int | str
"""How a format names a tensor: by its number (TFLite) or its name (ONNX)."""


class Step(Enum):
    """Something computed after a tensor, which then stands in its place."""

    FIRST_SAMPLE = "every sample gets the result of the first"
    REVERSED_SAMPLES = "the samples in reverse order"
    CONSTANT = "the same constant everywhere"
    SATURATED = "no value above zero"
    CAST = "the values in another type"
    EXTRA_AXIS = "an axis of one at the end"
    HEIGHT_WIDTH = "height and width exchanged"
    LATER_ROW = "each row in the place of the next"
    ZERO_POINT = "the same bytes, read with a zero point that is one more"
    SCALE = "the same bytes, read with a scale that is 1.1 times as large"


@dataclass(frozen=True)
class Node:
    """One operator. ``kind`` is the format's own name of it; an input that is absent is ``None``."""

    kind: str
    index: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    raw: Any

    @property
    def label(self) -> str:
        """``CONV_2D 3``."""
        return f"{self.kind} {self.index}"


@dataclass(frozen=True)
class Weight:
    """The constant weights of a node. ``spatial`` is (height, width) where it has them; axes that it lacks are None."""

    node: Node
    tensor: Tensor
    out_axis: int
    in_axis: int | None
    spatial: tuple[int, int] | None = None
    bias: Tensor | None = None


class Model(ABC):
    """A model in memory that can be changed and written to another file."""

    height_width: tuple[int, int]
    """The axes of height and width of a four-dimensional activation."""

    @property
    @abstractmethod
    def nodes(self) -> tuple[Node, ...]:
        """The operators of the main graph, in order."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[tuple[str, Tensor], ...]:
        """The outputs by the names under which a caller gets them."""

    @abstractmethod
    def weights(self) -> tuple[Weight, ...]:
        """The nodes with constant weights: convolutions and matrix products."""

    @abstractmethod
    def constant(self, tensor: Tensor | None) -> Array | None:
        """A constant's values as stored; ``None`` for what is computed."""

    @abstractmethod
    def set_constant(self, tensor: Tensor, values: Array) -> None:
        """Other values of the same type and shape."""

    @abstractmethod
    def shape(self, tensor: Tensor) -> tuple[int, ...] | None:
        """A tensor's shape, -1 where a dim is dynamic; ``None`` when the file does not say."""

    @abstractmethod
    def is_float(self, tensor: Tensor) -> bool:
        """Whether a tensor holds floats."""

    @abstractmethod
    def attribute(self, node: Node, name: str) -> Any:
        """An option of an operator; ``None`` when it has none of that name."""

    @abstractmethod
    def set_attribute(self, node: Node, name: str, value: Any) -> None:
        """Another value for an option."""

    @abstractmethod
    def set_kind(self, node: Node, kind: str) -> None:
        """Another operator with the same inputs, outputs and, as far as it has them, options."""

    @abstractmethod
    def bypass(self, node: Node, kept: int = 0) -> None:
        """What reads the node's first output gets its input of that number instead."""

    @abstractmethod
    def drop_input(self, node: Node, place: int) -> None:
        """Take away an optional input."""

    @abstractmethod
    def splice(self, tensor: Tensor, step: Step) -> None:
        """Compute ``step`` after a tensor; every node that read the tensor reads that instead."""

    @abstractmethod
    def append(self, output: str, step: Step) -> None:
        """Compute ``step`` after an output, which then gives that."""

    @abstractmethod
    def swap_outputs(self, one: str, other: str) -> None:
        """Each of two outputs gives what the other gave."""

    @abstractmethod
    def drop_output(self, name: str) -> None:
        """The model no longer gives that output."""

    @abstractmethod
    def publish(self, tensor: Tensor, name: str) -> None:
        """Give an intermediate tensor as one more output."""

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write the model as it now is."""

    def readers(self, tensor: Tensor) -> tuple[Node, ...]:
        """The nodes that read a tensor."""
        return tuple(node for node in self.nodes if tensor in node.inputs)

    def of_kind(self, *kinds: str) -> tuple[Node, ...]:
        """The nodes of those operators."""
        return tuple(node for node in self.nodes if node.kind in kinds)

    def is_image(self, tensor: Tensor, *, square: bool = False) -> bool:
        """Whether a tensor has four axes and more than one pixel; ``square`` also asks for one height and width."""
        shape = self.shape(tensor)
        if shape is None or len(shape) != 4:
            return False
        height, width = (shape[axis] for axis in self.height_width)
        return height > 1 and width > 1 and (height == width or not square)


def single(values: Array) -> bool:
    """Whether an array is one float."""
    return values.size == 1 and np.issubdtype(values.dtype, np.floating)
