"""Which tensor of the judged model is which of the trusted one: by numbers wherever they agree, else by structure.

The judged model's ops run in order on the trusted model's values (:mod:`verify.localise.golden_run`). Whatever an op
gives is looked for among the trusted tensors. Where a stretch of ops comes to nothing that the trusted model has, a
fault lies at its beginning: :mod:`verify.localise.resume` finds where the two go on together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from verify.localise.aligned import Aligned
from verify.localise.axes import AxisMap, axis_maps, best_likeness, likeness_db, sqnr_of
from verify.localise.candidates import Candidates
from verify.localise.channel_scales import channel_scales
from verify.localise.golden_run import GoldenRun
from verify.localise.graph import REARRANGING, Op
from verify.localise.resume import resume
from verify.localise.steps import Values
from verify.metrics import error_sums

SAME_DB = 60.0
"""Two float tensors are one if they are so alike; rounding alone leaves 100 dB and more."""

_CERTAIN_DB = 100.0
_CLEARLY_MORE_DB = 20.0
"""A product is much like the sum with a small bias: of two tensors the one at the same place, unless by so much."""

SAME_QUANTIZED_DB = 12.0
"""As much as one quantized op that is fed right values keeps, even a bad one."""


@dataclass(frozen=True)
class Unaligned:
    """A stretch of the judged model that has no counterpart, by its first op, and why."""

    ops: tuple[Op, ...]
    reason: str


class Alignment:
    """Aligns a judged model's tensors with a trusted one's; :meth:`find` does it, ``run.aligned`` holds them."""

    def __init__(
        self,
        run: GoldenRun,
        candidates: Candidates,
        places: Mapping[str, str],
        *,
        quantized: bool,
        rescaled: bool = False,
    ) -> None:
        """``rescaled``: channels of the judged model may be at other scales than the trusted one's."""
        self.run, self.candidates, self.places = run, candidates, places
        self.same_db = SAME_QUANTIZED_DB if quantized else SAME_DB
        self._rescaled = rescaled
        self.certain_db = SAME_QUANTIZED_DB if quantized else _CERTAIN_DB
        self.of_inputs = run.graph.of_inputs()
        self.unaligned: list[Unaligned] = []
        self.declared: dict[str, tuple[str, AxisMap]] = {}

    def find(self, inputs: Mapping[str, str], outputs: Mapping[str, tuple[str, AxisMap]]) -> None:
        """``inputs``: judged tensor → trusted; ``outputs``: judged → trusted with the declared order of axes."""
        self.declared = dict(outputs)
        for tensor, trusted in inputs.items():
            self._align_input(tensor, trusted)
        self.walk(self.run.graph.ops)
        given_up: set[int] = set()
        while (head := self._first_unexplained(given_up)) is not None:
            found = resume(self, self._stretch(head), outputs)
            if found is None:
                given_up.add(head.index)
                self.unaligned.append(
                    Unaligned(
                        tuple(self._stretch(head)), "nothing after it has a counterpart that its successors confirm"
                    )
                )
            else:
                self.accept(found.tensor, found.trusted, found.axes, found.how)
                self.walk([op for op in self.run.graph.ops if self._follows(op, found.tensor)])
        for tensor, (trusted, axes) in outputs.items():
            if tensor not in self.run.aligned:
                self.accept(tensor, trusted, axes, "output")

    def walk(self, ops: tuple[Op, ...] | list[Op]) -> None:
        """Run ops in order and align what they give, if it has a counterpart."""
        for op in ops:
            for tensor, stored in self.run.run(op).items():
                self.run.keep(tensor, stored)
                if tensor in self.of_inputs and tensor not in self.run.aligned:
                    self._recognise(op, tensor, self.run.steps.real(tensor, stored))

    def accept(self, tensor: str, trusted: str, axes: AxisMap, how: str, *, rearranged: bool = False) -> None:
        """Take two tensors for one, and note what the ops in between do to the trusted values."""
        computed = self.run.computed(tensor)
        expected = axes.judged(self.candidates.values(trusted))
        local: float | None = float("-inf")
        levels: float | None = None
        within: float | None = None
        scales: Values | None = None
        if computed is not None:
            real = self.run.steps.real(tensor, computed)
            grid = self.run.steps.levels(tensor)
            if grid is not None and self._may_be_rescaled(tensor):
                scales = channel_scales(self.run.held(tensor, expected), real, grid[0])  # clipping is no scale
                expected = expected if scales is None else np.asarray(expected * scales)
            local, levels = sqnr_of(expected, real), self._levels(tensor, expected, real)
            if levels is not None:
                within = self._levels(tensor, self.run.held(tensor, expected), real)
        segment = self.run.segment(tensor)
        self.run.aligned[tensor] = Aligned(
            tensor, trusted, axes, how, segment, local, rearranged, levels, within, scales=scales
        )

    def _may_be_rescaled(self, tensor: str) -> bool:
        """Weights can do it, and whatever reads channels that are. Outputs keep theirs."""
        if not self._rescaled or tensor in self.declared:
            return False
        ops = self.run.segment(tensor)
        read = [self.run.aligned[each] for op in ops for each in op.inputs if each in self.run.aligned]
        return any(op.weighted for op in ops) or any(each.scales is not None for each in read)

    def _levels(self, tensor: str, expected: Values, real: Values) -> float | None:
        scale = self.run.steps.levels(tensor)
        if scale is None or expected.shape != real.shape:
            return None
        return error_sums(expected, real).rms_error / scale[0]

    def _align_input(self, tensor: str, trusted: str) -> None:
        own, theirs = self.run.own.tensors[tensor], self.candidates.values(trusted)
        likeness = best_likeness(theirs, own, float("-inf"))
        axes = likeness.axes if likeness else next(axis_maps(theirs.shape[1:], own.shape[1:]))
        self.run.aligned[tensor] = Aligned(tensor, trusted, axes, "input", rearranged=True)

    def _recognise(self, op: Op, tensor: str, real: Values) -> None:
        if tensor in self.declared:  # an output in another order of axes is wrong, whatever it holds
            trusted, axes = self.declared[tensor]
            expected = axes.judged(self.candidates.values(trusted))
            if expected.shape == real.shape and likeness_db(expected, real) >= self.same_db:
                self.accept(tensor, trusted, axes, "fingerprint")
            return
        if op.kind in REARRANGING:
            before = [self.run.aligned[each] for each in op.inputs if each in self.run.aligned]
            for aligned in before:
                likeness = best_likeness(self.candidates.values(aligned.trusted), real, self.same_db)
                if likeness is not None:
                    self.accept(tensor, aligned.trusted, likeness.axes, "fingerprint", rearranged=True)
                    return
        found = self.recognised(tensor, real)
        if found is not None:
            self.accept(tensor, *found, "fingerprint")

    def recognised(self, tensor: str, real: Values) -> tuple[str, AxisMap] | None:
        """The trusted tensor with these values, if there is one."""
        ancestors = self.run.ancestors(tensor)
        at_place, likeness = self.places.get(tensor), None
        if at_place is not None and self.candidates.has(at_place) and self.candidates.descends(at_place, ancestors):
            likeness = best_likeness(self.candidates.values(at_place), real, self.same_db)
            if likeness is not None and likeness.sqnr_db >= self.certain_db:
                return at_place, likeness.axes
        taken = {each.trusted for each in self.run.aligned.values()}
        found = self.candidates.best(real, self.same_db, ancestors, taken)
        more_db = -math.inf if found is None else found.likeness.sqnr_db
        if at_place is not None and likeness is not None and more_db < likeness.sqnr_db + _CLEARLY_MORE_DB:
            return at_place, likeness.axes
        return None if found is None else (found.trusted, found.likeness.axes)

    def _first_unexplained(self, given_up: set[int]) -> Op | None:
        explained = {op.index for each in self.run.aligned.values() for op in each.ops} | given_up
        read = {tensor for op in self.run.graph.ops for tensor in op.inputs} | set(self.run.graph.outputs.values())
        for op in self.run.graph.ops:
            matters = any(tensor in self.of_inputs and tensor in read for tensor in op.outputs)
            if matters and op.index not in explained and not self._after(op, given_up):
                return op
        return None

    def _after(self, op: Op, given_up: set[int]) -> bool:
        """Whether it needs what an op gives that was given up: that stretch is told of once."""
        return any(each.index in given_up for each in self.run.segment(op.outputs[0]))

    def _stretch(self, head: Op) -> list[Op]:
        """The op and those after it that need it, as far as nothing is aligned."""
        return [head, *(op for op in self.run.graph.ops if self._follows(op, *head.outputs))]

    def _follows(self, op: Op, *tensors: str) -> bool:
        if all(tensor in self.run.aligned for tensor in op.outputs):
            return False
        needed = {each for one in self._open_segment(op) for each in one.inputs}
        return bool(needed.intersection(tensors))

    def _open_segment(self, op: Op) -> tuple[Op, ...]:
        return self.run.segment(op.outputs[0]) if op.outputs else ()
