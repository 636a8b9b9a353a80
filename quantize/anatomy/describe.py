"""From an int8 file, its float file and a few samples to an :class:`Anatomy`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quantize.anatomy.constants import sizes, weight_scales
from quantize.anatomy.findings import findings, summary
from quantize.anatomy.side_by_side import SideBySide, Step
from quantize.anatomy.stored import storage_of
from verify.errors import OpNotRunnable
from verify.report.anatomy import INPUT, Anatomy, LayerAnatomy
from verify.runners.base import Batch
from verify.stepping.contents import name_of, name_of_op

_NO_WORK = frozenset({"DEQUANTIZE"})


def describe(
    model: Path,
    int8: Path,
    samples: Sequence[Batch],
    *,
    modules: Mapping[str, tuple[str, ...]],
    why_float: Mapping[str, str],
    corrected: Collection[str] = frozenset(),
) -> Anatomy:
    """What is inside ``int8``, which was made of the float file ``model``, rewritten and corrected as it was then.

    ``modules`` are the PyTorch modules of each tensor, ``why_float`` the reasons of ops that compute in float, both by
    the name of the first tensor that an op gives; ``corrected`` are the tensors that corrections changed. Where an op
    does not run by itself, what follows it is described without measures, and the note says so.
    """
    both = SideBySide(model, int8, samples, corrected)
    table = _Table(both, sizes(both.stored), modules, why_float)
    steps, layers, note = [], [], ""
    try:
        for step in both.steps():
            steps.append(step)
            layers.append(table.measured(step))
    except OpNotRunnable as error:
        note = f"not measured further: {error.what}"
        last = max((step.operator or 0 for step in steps), default=-1)
        layers += [table.unmeasured(number) for number in range(last + 1, len(both.stored.graph.operators))]
    ends = set(map(int, both.exact.graph.outputs))
    reached = [step.sqnr_db for step in steps if step.tensor in ends and step.sqnr_db is not None]
    output_db = min(reached, default=None)
    return Anatomy(
        samples=len(samples),
        file_bytes=int8.stat().st_size,
        layers=tuple(layers),
        findings=findings(steps, layers),
        output_db=output_db,
        summary=summary(layers, output_db),
        note=note,
    )


@dataclass(frozen=True)
class _Table:
    both: SideBySide
    sizes: Sequence[int]
    modules: Mapping[str, tuple[str, ...]]
    why_float: Mapping[str, str]

    def measured(self, step: Step) -> LayerAnatomy:
        """The step as a row."""
        found = self._input(step.tensor) if step.operator is None else self.unmeasured(step.operator)
        name = name_of(self.both.exact.graph.tensors[step.tensor])
        return replace(
            found,
            name=name,
            modules=self.modules.get(name, ()),
            sqnr_db=step.sqnr_db,
            local_sqnr_db=step.local_sqnr_db,
            storage_sqnr_db=step.storage_sqnr_db,
            activation=step.activation,
        )

    def unmeasured(self, number: int) -> LayerAnatomy:
        """What the file itself says of an op."""
        stored = self.both.stored
        operator = stored.graph.operators[number]
        name = name_of(stored.graph.tensors[operator.outputs[0]]) if len(operator.outputs) else ""
        return LayerAnatomy(
            name=name,
            op=name_of_op(stored.model, operator),
            modules=self.modules.get(name, ()),
            precision=_precision(stored.graph, operator),
            why_float=self.why_float.get(name, ""),
            weights=weight_scales(stored, operator),
            size_bytes=self.sizes[number],
        )

    def _input(self, tensor: int) -> LayerAnatomy:
        return LayerAnatomy(name_of(self.both.exact.graph.tensors[tensor]), INPUT, (), "int8")


def _precision(graph: Any, operator: Any) -> str:
    for at in operator.outputs:
        storage = storage_of(graph.tensors[at])
        if storage is not None:
            return "int16" if storage.dtype.itemsize == 2 else "int8"
    return "float"
