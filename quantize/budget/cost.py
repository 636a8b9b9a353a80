"""What a set of float ops costs: a fixed function of the graph, so that the same search gives the same file anywhere.

Time is in int8 multiplications. The factors are rough (XNNPACK on two x86 machines, batch 1); only which of two sets
is cheaper depends on them. Measured latency is reported beside.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from quantize.budget.graph import Op, OpGraph

FLOAT_MAC = 3.0
PER_ELEMENT = 8.0
"""Of an op's results, whatever it computes them by."""
FLOAT_ELEMENT = 1.5
"""Times as much for four bytes as for one."""
ONE_AT_A_TIME = frozenset(
    {
        *("ABS", "DIV", "EXP", "GELU", "HARD_SWISH", "L2_NORMALIZATION", "MAXIMUM", "MINIMUM", "PRELU", "RELU"),
        *("RELU6", "RELU_N1_TO_1", "RSQRT", "SOFTMAX", "SQRT", "SQUARED_DIFFERENCE"),
    }
)
"""Ops that XNNPACK computes in float and not in int8 (LiteRT v2.1.0, ``xnnpack_delegate.cc``): LiteRT's own int8
kernels take a number at a time, and the delegate's run of ops breaks there. 12 hard-swishes made an int8 MobileNetV3
four times as slow as its float file; with these in float it takes 0.9 of the time. L2_NORMALIZATION it computes in
neither, and LiteRT's own kernel is the faster one in float: with all seven in int8 a small ViT takes 1.09 of its float
file's time, with them in float 0.67."""
ALONE = 100.0
"""Of a result of theirs in int8."""
PER_CAST = 8.0
"""An element made float from int8, or the other way round."""
FLOAT_BYTES = 4


@dataclass(frozen=True)
class Costs:
    """Prices of sets of lifted ops, by op index. Ops that have no int8 rule are float in all of them."""

    graph: OpGraph

    def of(self, lifted: Collection[int]) -> float:
        """Time and size over those of the file with nothing lifted, averaged: 1 for none."""
        return (self.time(lifted) / self._least_time + self.size(lifted) / self._least_size) / 2

    def time(self, lifted: Collection[int]) -> float:
        """In int8 multiplications."""
        floats = self._always_float | set(lifted)
        computing = sum(_time(op, float_=op.index in floats) for op in self.graph.ops)
        casts = sum(self.graph.sizes[at] for at, ops in self.graph.touching.items() if _is_cast(ops, floats))
        return computing + PER_CAST * casts

    def size(self, lifted: Collection[int]) -> float:
        """Bytes of weights."""
        floats = self._always_float | set(lifted)
        return sum(op.weights * (FLOAT_BYTES if op.index in floats else 1) for op in self.graph.ops)

    def int8_macs(self, lifted: Collection[int]) -> float:
        """Share of the multiplications that are computed in int8; 1 where there are none."""
        floats = self._always_float | set(lifted)
        kept = sum(op.macs for op in self.graph.ops if op.index not in floats)
        return kept / self.graph.macs if self.graph.macs else 1.0

    def change(self, lifted: Collection[int], op: int) -> float:
        """By how much one more lifted op raises the cost; negative where it saves casts."""
        floats = self._always_float | set(lifted)
        its = self.graph.ops[op]
        computing = _time(its, float_=True) - _time(its, float_=False)
        casts = sum(
            self.graph.sizes[at]
            * (_is_cast(self.graph.touching[at], floats | {op}) - _is_cast(self.graph.touching[at], floats))
            for at in {*its.inputs, *its.outputs}
        )
        bytes_ = its.weights * (FLOAT_BYTES - 1)
        return ((computing + PER_CAST * casts) / self._least_time + bytes_ / self._least_size) / 2

    def closed(self, lifted: Collection[int]) -> frozenset[int]:
        """The set, and what makes it no dearer: ops between float ones, and those that are slower in int8."""
        found = set(lifted)
        slow = [op.index for op in self.graph.ops if op.kind in ONE_AT_A_TIME]
        waiting = [near for op in sorted(found) for near in self.graph.neighbours[op]] + slow
        while waiting:
            op = waiting.pop()
            if op not in found and self.graph.ops[op].quantizable and self.change(found, op) <= 0:
                found.add(op)
                waiting += self.graph.neighbours[op]
        return frozenset(found)

    @cached_property
    def _always_float(self) -> frozenset[int]:
        return frozenset(op.index for op in self.graph.ops if not op.quantizable)

    @cached_property
    def _least_time(self) -> float:
        return max(self.time(()), 1.0)

    @cached_property
    def _least_size(self) -> float:
        return max(self.size(()), 1.0)


def _time(op: Op, *, float_: bool) -> float:
    if float_:
        return FLOAT_MAC * op.macs + FLOAT_ELEMENT * PER_ELEMENT * op.elements
    return op.macs + (ALONE if op.kind in ONE_AT_A_TIME else PER_ELEMENT) * op.elements


def _is_cast(ops: Collection[int], floats: Collection[int]) -> bool:
    in_float = sum(op in floats for op in ops)
    return 0 < in_float < len(ops)
