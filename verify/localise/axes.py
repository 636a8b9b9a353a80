"""One tensor as two models hold it: the same values in another order of axes, or with axes merged or split.

TFLite is channels-last where ONNX is channels-first, and either may have flattened what the other has not. Axes of
size 1 say nothing and are left out. What remains is tried in every order: few, for the sizes of two tensors seldom
agree in more than one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from verify.localise.steps import Values
from verify.metrics import error_sums

PROBED = 512
"""Values of each sample that are compared before all are."""

IDENTICAL_DB = 300.0
"""Stands for a comparison without any error."""

_MASK = 1e3
"""What a mask adds at least."""

_MOST_AXES = 5


@dataclass(frozen=True)
class AxisMap:
    """How the judged model holds a tensor of the trusted one, sample by sample.

    ``merged`` false: ``judged = trusted.transpose(order)``, reshaped. True: ``trusted = judged.transpose(order)``,
    reshaped. ``split`` is the shape, without axes of size 1, that ``order`` transposes; ``shape`` what comes out.
    """

    order: tuple[int, ...]
    split: tuple[int, ...]
    shape: tuple[int, ...]
    merged: bool = False

    def judged(self, trusted: Values) -> Values:
        """The trusted model's values, ``(samples, *shape)``, in the judged model's order."""
        count = len(trusted)
        if not self.merged:
            moved = trusted.reshape(count, *self.split).transpose(0, *(axis + 1 for axis in self.order))
        else:
            given = tuple(self.split[axis] for axis in self.order)
            back = tuple(int(axis) + 1 for axis in np.argsort(self.order))
            moved = trusted.reshape(count, *given).transpose(0, *back)
        return np.ascontiguousarray(moved).reshape(count, *self.shape)


def axis_maps(trusted: tuple[int, ...], judged: tuple[int, ...]) -> Iterator[AxisMap]:
    """Every way to hold a tensor of the one shape (without samples) as one of the other; the likeliest first."""
    if math.prod(trusted) != math.prod(judged):
        return
    ours, theirs = (tuple(size for size in shape if size != 1) for shape in (trusted, judged))
    orders = [order for order in _orders(len(ours)) if tuple(ours[axis] for axis in order) == theirs]
    yield from (AxisMap(order, ours, judged) for order in orders)
    if len(ours) != len(theirs):
        yield from (AxisMap(order, ours, judged) for order in _orders(len(ours)))
        yield from (
            AxisMap(order, theirs, judged, merged=True) for order in _orders(len(theirs)) if order != _same(order)
        )


def _orders(axes: int) -> list[tuple[int, ...]]:
    if axes > _MOST_AXES:
        last = (*range(1, axes), 0)
        return [tuple(range(axes)), last, tuple(int(axis) for axis in np.argsort(last))]
    return list(permutations(range(axes)))


def _same(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(len(order)))


@dataclass(frozen=True)
class Likeness:
    """How well a tensor matches under an axis map: the SQNR in dB around the mean, so that a large mean is no match."""

    axes: AxisMap
    sqnr_db: float


def best_likeness(trusted: Values, judged: Values, at_least_db: float) -> Likeness | None:
    """The axis map under which two tensors are most alike; ``None`` if that is not as much as asked for."""
    best: Likeness | None = None
    for axes in axis_maps(trusted.shape[1:], judged.shape[1:]):
        probed = likeness_db(*_probes(axes, trusted, judged))
        if probed > at_least_db - 6 and (best is None or probed > best.sqnr_db):
            best = Likeness(axes, probed)
    if best is None:
        return None
    found = likeness_db(best.axes.judged(trusted), judged)
    return Likeness(best.axes, found) if found >= at_least_db else None


def _probes(axes: AxisMap, trusted: Values, judged: Values) -> tuple[Values, Values]:
    """Some values of both, picked without moving the rest."""
    size = math.prod(judged.shape[1:])
    flat, given = trusted.reshape(len(trusted), -1), judged.reshape(len(judged), -1)
    if size <= 4 * PROBED:
        return axes.judged(trusted).reshape(given.shape), given
    places = np.random.default_rng(0).choice(size, PROBED, replace=False)
    if axes.merged:
        coordinates = np.unravel_index(places, axes.split)
        moved = np.ravel_multi_index(
            tuple(coordinates[axis] for axis in axes.order), tuple(axes.split[axis] for axis in axes.order)
        )
    else:
        coordinates = np.unravel_index(places, tuple(axes.split[axis] for axis in axes.order))
        by_axis = dict(zip(axes.order, coordinates, strict=True))
        moved = np.ravel_multi_index(tuple(by_axis[axis] for axis in range(len(axes.split))), axes.split)
    return flat[:, moved], given[:, places]


def unmasked(expected: Values, actual: Values) -> tuple[Values, Values]:
    """Both without the places that a mask fills in both: beside scores with −1e9, or −inf, no error would be seen.

    A mask stands three decades above everything else, and the two agree on it.
    """
    if expected.dtype.kind != "f" or actual.dtype.kind != "f" or expected.shape != actual.shape:
        return expected, actual
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(expected.astype(np.float64))
        finite = size[np.isfinite(size)]
        top = float(finite.max(initial=0.0))
        rest = float(finite[finite < top / 10].max(initial=0.0))
        agreed = np.isinf(expected) & (expected == actual)
        if top >= _MASK and rest < top / 1000:
            agreed |= (size >= top / 10) & (np.abs(expected.astype(np.float64) - actual) <= size / 100)
    if not agreed.any() or agreed.all():
        return expected, actual
    return expected[~agreed], actual[~agreed]


def likeness_db(expected: Values, actual: Values) -> float:
    """SQNR in dB, the signal taken around its mean; minus infinity where either is constant or not finite."""
    expected, actual = unmasked(expected, actual)
    wanted, given = expected.astype(np.float64), actual.astype(np.float64)
    signal = float(np.var(wanted)) if wanted.size else 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        error = float(np.mean(np.square(wanted - given))) if wanted.size else 0.0
    if not (signal > 0 and math.isfinite(signal) and math.isfinite(error)):
        return -math.inf
    return IDENTICAL_DB if error == 0 else 10 * math.log10(signal / error)


def sqnr_of(expected: Values, actual: Values) -> float | None:
    """SQNR in dB as a report shows it; ``None`` for no difference, minus infinity where there is nothing to compare."""
    if expected.shape != actual.shape:
        return -math.inf
    both = np.isnan(expected) & np.isnan(actual) if expected.dtype.kind == actual.dtype.kind == "f" else False
    if np.array_equal(expected, actual) or (np.any(both) and np.array_equal(expected, actual, equal_nan=True)):
        return None
    sums = error_sums(*unmasked(expected, actual))
    found = sums.sqnr_db
    return found if found is not None and math.isfinite(found) else -math.inf
