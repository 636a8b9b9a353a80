"""What a model computes, as far as localisation reads it: its ops in order, and which tensors they take and give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

REARRANGING = frozenset({
    "RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten",
    "Identity", "ExpandDims", "QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear", "Cast", "CAST",
})  # fmt: skip
"""Ops that change where or how values are stored, not what they are."""

OF_SHAPES = frozenset({"Shape", "Size", "SHAPE", "RANK"})
"""Ops that read how large a tensor is, not what it holds: what they give says nothing of what was computed."""


@dataclass(frozen=True)
class Op:
    """One op. ``inputs`` are the tensors that the model computes; constants are not among them.

    ``weighted`` ops multiply by a constant matrix or kernel. ``module`` and ``source`` name the PyTorch code.
    """

    index: int
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = ""
    module: str = ""
    source: str = ""
    weighted: bool = False
    module_type: str = ""
    """``Conv2d``, where it is known."""


@dataclass(frozen=True)
class Graph:
    """A model's ops in the order in which they are computed.

    Tensors go by keys that are unique in the model; ``shown`` gives the names of those whose key is not its name.
    ``inputs`` and ``outputs`` lead from the signature's names to tensors.
    """

    ops: tuple[Op, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    quantized: bool = False
    """Whether it computes on integers, or on weights of reduced precision."""
    shown: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)
    """What the file declares of each tensor's axes, where it does; ``None`` for one of any size."""
    first_hand: bool = False
    """Whether modules and lines were seen as PyTorch ran, not read from what an exporter wrote."""

    def name(self, tensor: str) -> str:
        """What a tensor is called in its file."""
        return self.shown.get(tensor, tensor)

    def producers(self) -> dict[str, Op]:
        """Tensor → the op that gives it."""
        return {tensor: op for op in self.ops for tensor in op.outputs}

    def of_inputs(self) -> frozenset[str]:
        """The tensors that depend on what the model's inputs hold; the others are the same for every sample."""
        found = set(self.inputs.values())
        for op in self.ops:
            if op.kind not in OF_SHAPES and found.intersection(op.inputs):
                found.update(op.outputs)
        return frozenset(found)

    def of_sizes(self) -> frozenset[str]:
        """The tensors that depend on the sizes of others, and on nothing that the model's inputs hold."""
        found: set[str] = set()
        for op in self.ops:
            if op.kind in OF_SHAPES or found.intersection(op.inputs):
                found.update(op.outputs)
        return frozenset(found - self.of_inputs())
