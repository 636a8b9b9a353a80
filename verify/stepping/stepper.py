"""Running a model one op at a time over a few samples, so that an op can be changed before what follows it runs.

Each op becomes a file of its own with LiteRT's kernel for it. A tensor's values are dropped after their last reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from verify.errors import OpNotRunnable
from verify.stepping.contents import name_of_op
from verify.stepping.part import WITH_SUBGRAPHS, Values, run_op, single_op


class Stepper:
    """The ops of one subgraph of an unpacked model, run in order; every tensor has one array a sample."""

    def __init__(
        self,
        model: Any,
        subgraph: int,
        inputs: dict[int, list[Values]],
        watch: Callable[[int, list[Values]], None] | None = None,
    ) -> None:
        """``inputs`` by tensor; ``watch`` is told of each tensor that an op gives, and its values."""
        self._watch = watch
        self._model, self._graph = model, model.subgraphs[subgraph]
        self._values = dict(inputs)
        self._count = max(map(len, inputs.values()), default=1)
        self._readers = Counter(int(at) for operator in self._graph.operators for at in operator.inputs)
        self._next = 0

    def values(self, tensor: int) -> list[Values]:
        """What a tensor that the next op reads holds, one array a sample."""
        return self._values[tensor]

    def run_until(self, operator: int) -> None:
        """Run every op before this one that has not run."""
        while self._next < operator:
            self._step(self._graph.operators[self._next])
            self._next += 1

    def finish(self) -> None:
        """Run the rest."""
        self.run_until(len(self._graph.operators))

    def _step(self, operator: Any) -> None:
        name = name_of_op(self._model, operator)
        if name in WITH_SUBGRAPHS:
            raise OpNotRunnable(f"{name} computes in other subgraphs")
        fed = list(dict.fromkeys(int(at) for at in operator.inputs if int(at) in self._values))
        given = [int(at) for at in operator.outputs]
        found = run_op(single_op(self._model, self._graph, operator, fed), [self._values[at] for at in fed])
        if not fed:
            found *= self._count
        for at, arrays in zip(given, zip(*found, strict=True), strict=True):
            if self._watch is not None:
                self._watch(at, list(arrays))
            if self._readers[at]:
                self._values[at] = list(arrays)
        for at in operator.inputs:
            self._readers[int(at)] -= 1
            if not self._readers[int(at)]:
                self._values.pop(int(at), None)
