"""How much noise each op brings to the outputs when it alone is int8.

Noise of several ops adds about up, for each is small and they hardly correlate; what two neighbours do to the tensor
between them is counted twice, so that both are lifted where that tensor is what hurts.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from quantize.budget.candidates import Candidates
from quantize.budget.cost import Costs
from quantize.budget.graph import OpGraph
from quantize.budget.judge import IDENTICAL_DB, Judge
from quantize.kernels import KERNELS, ScaleConstraint
from quantize.recipe import IoType

MOST_UNITS = 96
"""Files that are made. A larger net's neighbouring ops are taken together."""

_MIXING = frozenset({"AVERAGE_POOL_2D", "SUM", "RESIZE_BILINEAR"})
"""Ops that give results in their input's scale and round all the same."""


@dataclass(frozen=True)
class Unit:
    """Ops that are tried together, by index, and their noise at the outputs: error energy over signal energy, summed
    over outputs.
    """

    ops: tuple[int, ...]
    noise: float


@dataclass(frozen=True)
class Sensitivities:
    """Of every op that rounds, or run of them, in the order of the graph; ``edges_noise`` is of int8 inputs and outputs
    with no op in int8, which nothing that is lifted takes away.
    """

    units: tuple[Unit, ...] = ()
    edges_noise: float = 0.0

    @property
    def noise(self) -> float:
        """Of all."""
        return self.edges_noise + sum(unit.noise for unit in self.units)

    def predicted_db(self, lifted: Collection[int]) -> float:
        """SQNR that the noise of what stays int8 comes to."""
        return _db(self.edges_noise + sum(unit.noise for unit in self.units if not lifted_as(unit, lifted)))

    @property
    def edges_db(self) -> float:
        """What int8 inputs and outputs alone come to: no lifting gets beyond it."""
        return _db(self.edges_noise)


def sensitivities(candidates: Candidates, probes: Judge) -> Sensitivities:
    """Make a file for each unit with it alone in int8, and run the probes on it."""
    every = {op.index for op in candidates.graph.ops if op.quantizable}

    def noise(ops: tuple[int, ...], io: IoType) -> float:
        with candidates.made(every.difference(ops), io) as path:
            return probes.noise(path)

    units = tuple(Unit(ops, noise(ops, IoType.FLOAT32)) for ops in _units(candidates.graph))
    return Sensitivities(units, noise((), candidates.recipe.io))


def lifted_as(unit: Unit, lifted: Collection[int]) -> bool:
    """Whether all of a unit is lifted."""
    return set(unit.ops) <= set(lifted)


def by_worth(units: Sequence[Unit], costs: Costs) -> tuple[Unit, ...]:
    """Those first that take away most noise for what they cost; ties in the order of the graph."""

    def worth(unit: Unit) -> float:
        price = sum(max(costs.change((), op), 0.0) for op in unit.ops)
        return unit.noise / price if price else math.inf

    return tuple(sorted(units, key=lambda unit: (-worth(unit), unit.ops)))


def _db(noise: float) -> float:
    return -10 * math.log10(noise) if noise > 0 else IDENTICAL_DB


def _units(graph: OpGraph) -> list[tuple[int, ...]]:
    moving = _only_moving()
    rounding = [op.index for op in graph.ops if op.quantizable and op.kind not in moving]
    size = max(-(-len(rounding) // MOST_UNITS), 1)
    return [tuple(rounding[start : start + size]) for start in range(0, len(rounding), size)]


def _only_moving() -> frozenset[str]:
    """Ops that pass on stored values as they are, so that nothing is rounded."""
    from ai_edge_quantizer.algorithms.utils.common_utils import OpQuantConstraint
    from ai_edge_quantizer.utils.constrained_ops_utils import get_constrained_op_list

    ours = {kind for kind, kernel in KERNELS.items() if kernel.constraint is ScaleConstraint.AS_INPUT}
    library = {op.value for op in get_constrained_op_list(OpQuantConstraint.SAME_AS_INPUT_SCALE)}
    return frozenset((ours | library) - _MIXING)
