"""Reading one output of two models batch by batch: sums, extremes, and the first thing that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from verify.metrics import Array, ErrorSums, error_sums
from verify.tallies.following import Following
from verify.tallies.grid import GridTally, OutputGrid
from verify.tallies.integers import IntegerTally
from verify.tallies.nonfinite import NonFiniteTally, masked_alike, nonfinite_failure
from verify.tallies.variation import Variation


@dataclass
class Tally:
    """One output as far as it was read."""

    sums: ErrorSums = field(default_factory=ErrorSums)
    failure: str | None = None
    """The first one, under its own name."""
    detail: str = ""
    identical: bool = True
    floating: bool = True
    masked: int = 0
    """Values that are -Inf on both sides: equal, and not among the sums."""
    expected: Variation = field(default_factory=Variation)
    actual: Variation = field(default_factory=Variation)
    expected_nonfinite: NonFiniteTally = field(default_factory=NonFiniteTally)
    actual_nonfinite: NonFiniteTally = field(default_factory=NonFiniteTally)
    integers: IntegerTally = field(default_factory=IntegerTally)
    grid: GridTally | None = None
    following: Following = field(default_factory=Following)
    worst_sample: str = ""
    """The one with the most error energy: ``batch_001.npz[1]``; empty when none has any."""
    worst_energy: float = 0.0

    def fail(self, failure: str, detail: str) -> None:
        """Keep the first failure: what follows it says nothing new."""
        if self.failure is None:
            self.failure, self.detail = failure, detail
            self.identical = False


def tally_batch(
    tallies: dict[str, Tally],
    wanted: Mapping[str, Array],
    given: Mapping[str, Array] | None,
    batch: str,
    grids: Mapping[str, OutputGrid] | None = None,
) -> None:
    """Take in one batch of both models; ``given`` is ``None`` when the second has none of that name.

    ``grids`` are those of quantized outputs of the second model.
    """
    for name in wanted:
        tally = tallies.setdefault(name, _empty(name, grids or {}))
        if given is None:
            tally.fail("missing output", f"the model gave nothing at all for {batch}")
        elif name not in given:
            tally.fail("missing output", f"{batch} has {', '.join(given) or 'no outputs'}, but no {name}")
        else:
            _tally_output(tally, name, wanted, given, batch)
    for name in given or ():
        if name not in wanted:
            tallies.setdefault(name, Tally()).fail("extra output", f"{batch}: the other model gives no {name}")


def _empty(name: str, grids: Mapping[str, OutputGrid]) -> Tally:
    return Tally(grid=GridTally(grids[name]) if name in grids else None)


def _tally_output(tally: Tally, name: str, wanted: Mapping[str, Array], given: Mapping[str, Array], batch: str) -> None:
    expected, actual = wanted[name], given[name]
    if expected.shape != actual.shape:
        tally.fail("wrong shape", f"{batch}: expected {list(expected.shape)}, got {list(actual.shape)}")
    elif not _same_type(expected, actual):
        tally.fail("wrong dtype", f"{batch}: expected {expected.dtype}, got {actual.dtype}")
    elif expected.dtype.kind not in "fiub":
        tally.fail("wrong dtype", f"{batch}: {expected.dtype} is no kind of number that can be compared")
    elif expected.dtype.kind == "f":
        _tally_floats(tally, expected, actual, batch)
    else:
        tally.floating = False
        tally.integers.note(name, wanted, given, batch)
        _tally_numbers(tally, expected, actual, batch)


def _tally_floats(tally: Tally, expected: Array, actual: Array, batch: str) -> None:
    if np.isfinite(expected).all() and np.isfinite(actual).all():
        _tally_numbers(tally, expected, actual, batch)
        return
    tally.expected_nonfinite.note(expected, batch)
    tally.actual_nonfinite.note(actual, batch)
    failure, mask = nonfinite_failure(expected, actual), masked_alike(expected, actual)
    if failure is not None or mask is None:
        name, detail = failure or ("non-finite output", "not every value is a number")
        tally.fail(name, f"{batch}: {detail}")
        return
    tally.masked += int(mask.sum())
    _tally_numbers(tally, expected, actual, batch, mask)


def _tally_numbers(tally: Tally, expected: Array, actual: Array, batch: str, mask: Array | None = None) -> None:
    """Sums over what is finite; whether it varies is seen on the whole."""
    tally.identical = tally.identical and np.array_equal(expected, actual)
    tally.expected.note(expected)
    tally.actual.note(actual)
    wanted, given = (expected, actual) if mask is None else (expected[~mask], actual[~mask])
    sums = error_sums(wanted, given)
    tally.sums += sums
    if tally.grid is not None:
        tally.grid.note(wanted, given)
    if mask is None:
        tally.following.note(expected, actual)
    if sums.error_energy and mask is None and expected.ndim:
        _note_worst_sample(tally, expected, actual, batch)


def _note_worst_sample(tally: Tally, expected: Array, actual: Array, batch: str) -> None:
    error = (expected.astype(np.float64) - actual.astype(np.float64)).reshape(len(expected), -1)
    energies = np.einsum("ij,ij->i", error, error)
    worst = int(energies.argmax())
    if energies[worst] > tally.worst_energy:
        tally.worst_sample, tally.worst_energy = f"{batch}[{worst}]", float(energies[worst])


def _same_type(expected: Array, actual: Array) -> bool:
    """Integers of any width are alike (TensorFlow has int32 where PyTorch has int64); floats must have one width."""
    if expected.dtype.kind in "iu" and actual.dtype.kind in "iu":
        return True
    return expected.dtype == actual.dtype
