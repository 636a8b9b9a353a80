"""A ``.tflite`` file opened to be run op by op, and its layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from quantize.correction.unpacked import Weighted, buffer_readers, weighted_op
from verify.flatbuffer import unpack
from verify.runners.base import Batch
from verify.runners.tflite_file import open_model, tensor_map
from verify.stepping.contents import name_of
from verify.stepping.part import Values
from verify.stepping.stepper import Stepper


class SteppedModel:
    """The unpacked model, the subgraph that its signature names, and a stepper over that with the samples fed."""

    def __init__(
        self, path: Path, samples: Sequence[Batch], watch: Callable[[int, list[Values]], None] | None = None
    ) -> None:
        self.model = unpack(path.read_bytes())
        with open_model(path) as opened:
            names = tensor_map(opened)
        self.subgraph = names.subgraph
        self.graph = self.model.subgraphs[self.subgraph]
        inputs = {at: [sample[name] for sample in samples] for name, at in names.inputs}
        self.stepper = Stepper(self.model, self.subgraph, inputs, watch)

    def layers(self) -> dict[str, tuple[int, Weighted]]:
        """Layers by the name of their weights, with their number as an op; of those that share weights, the last."""
        found: dict[str, tuple[int, Weighted]] = {}
        readers = buffer_readers(self.graph)
        for number, operator in enumerate(self.graph.operators):
            op = weighted_op(self.model, self.graph, operator, readers)
            if op is not None:
                found[name_of(self.graph.tensors[op.weights])] = number, op
        return found
