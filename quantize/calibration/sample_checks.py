"""What is wrong with calibration samples: each problem is one sentence. (NaN is an error, of the one who runs them.)

Every check is of what passed, whatever its order, and none needs more than a hash of each sample to be kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from verify.runners.base import Batch

FEW = 16
"""Samples, at least: each of the last few still moves ranges by a good part."""

_BYTE = 255
_NORMALISED = 16.0
"""Pixels scaled to 0..1 and normalised stay well below, pixels in 0..255 do not."""
_IMAGE_RANK = 4
_DIGEST_BYTES = 8


@dataclass
class _Seen:
    """Of one input: what all samples held, and how many were the same number throughout."""

    low: float = np.inf
    high: float = -np.inf
    rank: int = 0
    floats: bool = True
    constant: int = 0

    def add(self, values: npt.NDArray[np.generic]) -> None:
        low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.rank, self.floats = values.ndim, values.dtype.kind == "f"
        self.constant += low == high and values.size > 1


@dataclass
class SampleChecks:
    """Takes samples as the model takes them, with the model's outputs, and says what is odd about them."""

    _inputs: dict[str, _Seen] = field(default_factory=dict)
    _digests: Counter[bytes] = field(default_factory=Counter)
    _first: Batch | None = None
    _outputs_differ: bool = False

    def add(self, inputs: Batch, outputs: Batch, digest: bytes) -> None:
        """One sample; NaN in it has been refused."""
        self._digests[digest[:_DIGEST_BYTES]] += 1
        for name, values in inputs.items():
            if values.size:
                self._inputs.setdefault(name, _Seen()).add(values)
        if self._first is None:
            self._first = outputs
        elif not self._outputs_differ:
            self._outputs_differ = any(not np.array_equal(outputs[name], first) for name, first in self._first.items())

    def notes(self) -> tuple[str, ...]:
        """One sentence a problem, those of each input first."""
        count = self._digests.total()
        found = [note for name, seen in sorted(self._inputs.items()) for note in _of_input(name, seen, count)]
        repeated = count - len(self._digests)
        if repeated:
            found.append(f"{repeated} of {count} calibration samples are repeated: they add nothing to the ranges")
        if len(self._digests) > 1 and not self._outputs_differ:
            found.append(
                "the float model gives the same output for every calibration sample: are they prepared as it expects?"
            )
        if count < FEW:
            found.append(
                f"{count} calibration samples are few: ranges may be too narrow for others; give {FEW} or more"
            )
        return tuple(found)


def _of_input(name: str, seen: _Seen, count: int) -> list[str]:
    notes = []
    if seen.constant:
        notes.append(f"input {name!r} is one and the same number throughout in {seen.constant} of {count} samples")
    if seen.floats and seen.rank == _IMAGE_RANK and seen.low >= 0 and _NORMALISED < seen.high <= _BYTE:
        notes.append(
            f"input {name!r} holds {seen.low:g}..{seen.high:g}, as pixels before scaling do: if the model was trained "
            "on scaled or normalised images, prepare the samples so"
        )
    return notes
