"""The operators of a float TFLite file as they are chosen by name: op type, output tensors, PyTorch modules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verify.modules import Modules
from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names


@dataclass(frozen=True)
class Operator:
    """One operator of the main subgraph, ``index`` as the file has them; ``op`` is TFLite's name."""

    index: int
    op: str
    outputs: tuple[str, ...]
    modules: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it goes by in a recipe: the first tensor that it gives."""
        return self.outputs[0] if self.outputs else ""


def operators(model: Path, modules: Modules | None = None) -> tuple[Operator, ...]:
    """All of them, in the order in which they run; raises ``ModelUnreadable``."""
    known = modules or Modules()
    with open_model(model) as opened:
        names, tensors = opcode_names(opened), tensor_map(opened)
        graph = opened.Subgraphs(tensors.subgraph)
        given_as = {at: known.outputs[name] for name, at in tensors.outputs if name in known.outputs}
        found = []
        for index, operator in enumerate(map(graph.Operators, range(graph.OperatorsLength()))):
            at = [operator.Outputs(number) for number in range(operator.OutputsLength())]
            outputs = tuple(graph.Tensors(each).Name().decode() for each in at)
            paths = {path for name in outputs for path in known.of_tensor(name)}
            paths |= {given_as[each] for each in at if each in given_as}
            found.append(Operator(index, names[operator.OpcodeIndex()], outputs, tuple(sorted(paths))))
        return tuple(found)


def activation_bytes(model: Path) -> int:
    """What the ops of the main subgraph give for one sample, as float32, all of it together."""
    with open_model(model) as opened:
        graph = opened.Subgraphs(tensor_map(opened).subgraph)
        ops = map(graph.Operators, range(graph.OperatorsLength()))
        given = [each.Outputs(at) for each in ops for at in range(each.OutputsLength())]
        return 4 * sum(int(np.prod(graph.Tensors(at).ShapeAsNumpy())) for at in given)
