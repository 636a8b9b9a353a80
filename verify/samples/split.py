"""Which samples judge and which calibrate: disjoint, spread over the whole set, the same every time."""

from __future__ import annotations

from dataclasses import dataclass

from verify.errors import SamplesInvalid

LEAST_HELD_OUT_EVERY = 4
"""At least three samples calibrate for each one that judges."""


@dataclass(frozen=True)
class Split:
    """Indices into a sample source; the two never meet."""

    judging: tuple[int, ...]
    calibration: tuple[int, ...]


def split(count: int, max_judging: int) -> Split:
    """Every k-th sample judges, the rest calibrate.

    ``k`` is at least 4 (fewer only when there are fewer samples) and grows with ``count``, so that the judging samples
    are spread over a set that is sorted by class. Raises ``SamplesInvalid`` below two samples.
    """
    if count < 2:
        raise SamplesInvalid(
            f"{count} sample cannot both calibrate and judge: expected at least 2",
            fix="give more samples, or name others to judge on with --samples",
        )
    every = max(min(LEAST_HELD_OUT_EVERY, count), -(-count // max_judging))
    judging = tuple(range(every - 1, count, every))
    held_out = frozenset(judging)
    return Split(judging, tuple(index for index in range(count) if index not in held_out))


def spread(indices: tuple[int, ...], limit: int) -> tuple[int, ...]:
    """At most ``limit`` of the indices, evenly spaced."""
    if len(indices) <= limit:
        return indices
    return tuple(indices[position * len(indices) // limit] for position in range(limit))
