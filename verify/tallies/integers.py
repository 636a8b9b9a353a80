"""An output of integers (labels, indices, counts): judged exactly, and what its scores say where it differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from verify.metrics import Array


@dataclass
class IntegerTally:
    """How many integers differ, and how many of them are arg maxes of scores that are in the outputs too."""

    differing: int = 0
    explained: int = 0
    """Each is the arg max of its own model's scores: what differs is the scores, and those are judged themselves."""
    first: str = ""
    scores: str = ""
    """The output that holds them."""

    def note(self, name: str, expected: Mapping[str, Array], actual: Mapping[str, Array], batch: str) -> None:
        """Take in one batch of the output ``name``; both sides have it, in one shape."""
        wanted, given = expected[name], actual[name]
        differs = np.asarray(wanted != given)
        if not differs.any():
            return
        self.differing += int(differs.sum())
        if not self.first:
            place = np.unravel_index(int(np.argmax(differs)), differs.shape)
            index = ", ".join(str(int(at)) for at in place)
            self.first = f"{batch}[{index}]: expected {wanted[place]}, got {given[place]}"
        scores = _scores_of(wanted, expected)
        if scores is not None and scores in actual and actual[scores].shape == expected[scores].shape:
            follows = actual[scores].argmax(axis=1).reshape(given.shape) == given
            self.explained += int((differs & follows).sum())
            self.scores = scores


def _scores_of(labels: Array, outputs: Mapping[str, Array]) -> str | None:
    """The float output (batch, classes, …) whose arg max these labels are."""
    for name, scores in outputs.items():
        if scores.dtype.kind != "f" or scores.ndim < 2 or scores.shape[1] < 2:
            continue
        best = scores.argmax(axis=1)
        alike = best.size == labels.size and best.shape[0] == labels.shape[0]
        if alike and np.array_equal(best.reshape(labels.shape), labels):
            return name
    return None
