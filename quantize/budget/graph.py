"""The ops of a float file as the search sees them: what each multiplies, stores and passes on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from quantize.recipe import IoType, Recipe
from quantize.selection import rule_name
from verify.runners.tflite_file import dtype_of, open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names
from verify.runners.tflite_macs import operator_macs

OUTSIDE = -1


@dataclass(frozen=True)
class Op:
    """One op of the main subgraph. ``inputs`` and ``outputs`` are float activations, by tensor index.

    ``macs`` are multiplications of one sample; ``weights`` are constants' elements; ``elements`` are the outputs'.
    ``name`` is its first output's; ``quantizable``: it has an int8 rule.
    """

    index: int
    kind: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    macs: int
    weights: int
    elements: int
    quantizable: bool


@dataclass(frozen=True)
class OpGraph:
    """All ops in order, and the elements of each float activation, by tensor index, at batch 1."""

    ops: tuple[Op, ...]
    sizes: dict[int, int]
    edges: frozenset[int] = frozenset()
    """Activations that the file takes or gives in int8."""

    @cached_property
    def neighbours(self) -> dict[int, tuple[int, ...]]:
        """By op: those that share an activation with it."""
        found: dict[int, set[int]] = {op.index: set() for op in self.ops}
        for touching in self.touching.values():
            for op in touching - {OUTSIDE}:
                found[op] |= touching - {op, OUTSIDE}
        return {op: tuple(sorted(others)) for op, others in found.items()}

    @cached_property
    def touching(self) -> dict[int, frozenset[int]]:
        """By activation: the ops that make or read it, the outside (-1) among them where it is int8 there."""
        found: dict[int, set[int]] = {at: {OUTSIDE} for at in self.edges}
        for op in self.ops:
            for at in (*op.inputs, *op.outputs):
                found.setdefault(at, set()).add(op.index)
        return {at: frozenset(ops) for at, ops in found.items()}

    @cached_property
    def macs(self) -> int:
        """Of one sample through the whole net."""
        return sum(op.macs for op in self.ops)


def op_graph(model: Path, recipe: Recipe) -> OpGraph:
    """Read the float file. Ops that the recipe has no rule for, or an override, are not quantizable."""
    ruled = {rule.op for rule in recipe.ops}
    left_alone = {each.output for each in recipe.overrides}
    with open_model(model) as opened:
        names = tensor_map(opened)
        graph = opened.Subgraphs(names.subgraph)
        kinds = opcode_names(opened)
        view = _View(opened, graph)
        ops = [
            view.op(index, kinds[graph.Operators(index).OpcodeIndex()], ruled, left_alone)
            for index in range(graph.OperatorsLength())
        ]
        activations = {at for op in ops for at in (*op.inputs, *op.outputs)}
        edges = () if recipe.io is IoType.FLOAT32 else (*names.inputs, *names.outputs)
        return OpGraph(
            tuple(ops),
            {at: math.prod(view.shape(at)) for at in sorted(activations)},
            frozenset(activations).intersection(at for _, at in edges),
        )


@dataclass(frozen=True)
class _View:
    model: Any
    graph: Any

    def op(self, index: int, kind: str, ruled: set[str], left_alone: set[str]) -> Op:
        operator = self.graph.Operators(index)
        inputs = [int(operator.Inputs(at)) for at in range(operator.InputsLength()) if operator.Inputs(at) >= 0]
        outputs = [int(operator.Outputs(at)) for at in range(operator.OutputsLength())]
        names = [self.graph.Tensors(at).Name().decode() for at in outputs]
        return Op(
            index=index,
            kind=kind,
            name=names[0] if names else "",
            inputs=tuple(dict.fromkeys(at for at in inputs if self._is_activation(at))),
            outputs=tuple(at for at in outputs if self._is_activation(at)),
            macs=operator_macs(kind, self.graph, operator),
            weights=sum(math.prod(self.shape(at)) for at in inputs if self._is_weight(at)),
            elements=sum(math.prod(self.shape(at)) for at in outputs),
            quantizable=rule_name(kind) in ruled and not left_alone.intersection(names),
        )

    def shape(self, at: int) -> tuple[int, ...]:
        """With 1 for the batch."""
        tensor = self.graph.Tensors(at)
        return tuple(abs(int(tensor.Shape(axis))) for axis in range(tensor.ShapeLength()))

    def _is_activation(self, at: int) -> bool:
        return dtype_of(self.graph.Tensors(at)) == "float32" and not self._is_constant(at)

    def _is_weight(self, at: int) -> bool:
        return dtype_of(self.graph.Tensors(at)) == "float32" and self._is_constant(at)

    def _is_constant(self, at: int) -> bool:
        buffer = self.model.Buffers(self.graph.Tensors(at).Buffer())
        return bool(buffer.DataLength() or buffer.Size())
