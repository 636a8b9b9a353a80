"""Running the judged model with the trusted model's tensors put in wherever both have one.

So an op's error is its own: what went wrong before it does not enter. And since an op that is right gives, of the
trusted model's values, the trusted model's values, tensors are recognised by their numbers after a fault as before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from verify.errors import OpNotRunnable
from verify.localise.aligned import Aligned
from verify.localise.candidates import Candidates
from verify.localise.graph import Op
from verify.localise.recording import Recording, TensorStore, for_all
from verify.localise.steps import Steps, Values


class GoldenRun:
    """The judged model's ops, each fed what the trusted model has there, or what the ops before it made of that."""

    def __init__(self, steps: Steps, own: Recording, candidates: Candidates, count: int, folder: Path) -> None:
        self.steps, self.own, self.graph = steps, own, steps.graph
        self.aligned: dict[str, Aligned] = {}
        self._candidates = candidates
        self._count = count
        self._computed = TensorStore(folder)
        sizes = self.graph.of_sizes()
        self._producers = {name: op for name, op in self.graph.producers().items() if name not in sizes}

    def run(self, op: Op, instead: Mapping[str, Values] | None = None) -> dict[str, Values]:
        """Stored outputs; nothing where it cannot run. ``instead`` stands for tensors by its values, as stored."""
        feeds: dict[str, Values] = {}
        for tensor in op.inputs:
            value = (instead or {}).get(tensor)
            value = self.value(tensor) if value is None else value
            if value is None:
                return {}
            feeds[tensor] = value
        try:
            return {tensor: for_all(values, self._count) for tensor, values in self.steps.run(op, feeds).items()}
        except OpNotRunnable:
            return {}

    def keep(self, tensor: str, stored: Values) -> None:
        """Remember what an op gave, for those after it."""
        self._computed.keep(tensor, stored)

    def computed(self, tensor: str) -> Values | None:
        """What the judged model's own ops made of the trusted values; ``None`` where they could not run."""
        return self._computed.get(tensor)

    def value(self, tensor: str) -> Values | None:
        """As stored: the trusted model's if the tensor is aligned, else what was computed."""
        aligned = self.aligned.get(tensor)
        if aligned is None:
            return self.computed(tensor)
        return self.as_stored(tensor, aligned)

    def golden(self, aligned: Aligned) -> Values:
        """What the trusted model has there, real-valued, in the judged model's order of axes and scales of channels."""
        real = aligned.axes.judged(self._candidates.values(aligned.trusted))
        return real if aligned.scales is None else np.asarray(real * aligned.scales)

    def held(self, tensor: str, real: Values) -> Values:
        """Values as the judged model's tensor holds them: rounded and clipped to its range where it is quantized."""
        return self.steps.real(tensor, self.steps.stored(tensor, real))

    def as_stored(self, tensor: str, aligned: Aligned) -> Values:
        """The trusted tensor as the judged model would store it."""
        stored = self.steps.stored(tensor, self.golden(aligned))
        dtype = self.own.dtypes.get(tensor)
        return stored if dtype is None else stored.astype(dtype)

    def segment(self, tensor: str) -> tuple[Op, ...]:
        """The ops that give a tensor from aligned ones, in order; those that compute sizes are not among them."""
        found: dict[int, Op] = {}
        waiting = [tensor]
        while waiting:
            op = self._producers.get(waiting.pop())
            if op is not None and op.index not in found:
                found[op.index] = op
                waiting += [each for each in op.inputs if each not in self.aligned]
        return tuple(found[index] for index in sorted(found))

    def ancestors(self, tensor: str) -> list[str]:
        """The trusted tensors that a judged tensor is made of, at the nearest."""
        inputs = {each for op in self.segment(tensor) for each in op.inputs if each in self.aligned}
        return sorted({self.aligned[each].trusted for each in inputs})
