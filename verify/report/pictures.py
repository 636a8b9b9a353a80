"""What plots of an output's error need, collected while its batches stream by in memory that does not grow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from verify.batches import Array, read_batch
from verify.report.input_pictures import picture_input
from verify.report.picture_types import ErrorHistogram, ErrorPicture, Scatter, WorstSample
from verify.report.types import OutputComparison

SCATTER_POINTS = 500
_WORST_POINTS = 40
_UNIFORM_POINTS = SCATTER_POINTS - _WORST_POINTS
_FIRST_DECADE, _LAST_DECADE = -20, 20
_FINE_BINS = 20
_MOST_BINS = 48
_BLOCK_VALUES = 1 << 18

_Floats = npt.NDArray[np.float64]


def _no_floats() -> _Floats:
    return np.empty(0)


def _no_bins() -> npt.NDArray[np.int64]:
    return np.zeros((_LAST_DECADE - _FIRST_DECADE) * _FINE_BINS, np.int64)


class EdgePictures:
    """The pictures of all outputs of an edge; without ``inputs`` (their folder of batches) nothing is collected."""

    def __init__(self, inputs: Path | None) -> None:
        self._inputs = inputs
        self._collectors: dict[str, PictureCollector] = {}

    def note(self, expected: Mapping[str, Array], actual: Mapping[str, Array], batch: str) -> None:
        """Take in one batch of both models."""
        if self._inputs is None:
            return
        for name, wanted in expected.items():
            if name in actual:
                self._collectors.setdefault(name, PictureCollector()).note(wanted, actual[name], batch)

    def added_to(self, outputs: tuple[OutputComparison, ...]) -> tuple[OutputComparison, ...]:
        """The comparisons, each with its picture where there is one."""
        return tuple(
            replace(output, picture=self._collectors[output.name].picture(self._inputs))
            if self._inputs is not None and output.name in self._collectors
            else output
            for output in outputs
        )


@dataclass
class _Worst:
    """The worst sample so far. ``badness`` is its RMS error, infinite where an error is not finite."""

    badness: float
    index: int
    batch: str
    row: int
    place: tuple[int, ...]
    expected: float
    actual: float


@dataclass(frozen=True)
class _RowErrors:
    """Of each sample: its RMS error, infinite where an error is not finite, and where its largest error is."""

    badness: _Floats
    places: npt.NDArray[np.int64]


@dataclass
class PictureCollector:
    """One output of two models. The uniform sample is drawn with a fixed seed, so that a run can be repeated."""

    above: npt.NDArray[np.int64] = field(default_factory=_no_bins)
    below: npt.NDArray[np.int64] = field(default_factory=_no_bins)
    equal: int = 0
    not_finite: int = 0
    samples: int = 0
    worst: _Worst | None = None
    _random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    _keys: _Floats = field(default_factory=_no_floats)
    _pairs: _Floats = field(default_factory=lambda: np.empty((0, 2)))
    _farthest: _Floats = field(default_factory=lambda: np.empty((0, 2)))

    def note(self, expected: Array, actual: Array, batch: str) -> None:
        """Take in one batch; arrays of two shapes, or of no values, have no picture and are passed over."""
        if expected.shape != actual.shape or not expected.size:
            return
        samples = expected.shape[0] if expected.ndim else 1
        wanted, given = expected.reshape(samples, -1), actual.reshape(samples, -1)
        together = max(1, _BLOCK_VALUES // wanted.shape[1])
        for first in range(0, samples, together):
            rows = slice(first, first + together)
            found = self._note_rows(wanted[rows], given[rows])
            row = int(found.badness.argmax())
            if self.worst is None or found.badness[row] > self.worst.badness:
                flat = int(found.places[row])
                place = np.unravel_index(flat, expected.shape[1:]) if expected.ndim else ()
                self.worst = _Worst(
                    badness=float(found.badness[row]),
                    index=self.samples + first + row,
                    batch=batch,
                    row=first + row,
                    place=tuple(int(axis) for axis in place),
                    expected=float(wanted[first + row, flat]),
                    actual=float(given[first + row, flat]),
                )
        self.samples += samples

    def picture(self, inputs: Path) -> ErrorPicture | None:
        """What was collected, with the worst sample's inputs from their folder of batches; ``None`` of nothing."""
        if not self.samples:
            return None
        return ErrorPicture(self._histogram(), self._scatter(), self._worst_sample(inputs))

    def _note_rows(self, wanted: Array, given: Array) -> _RowErrors:
        """``(samples, values)``, a block of values at a time: float64 copies are never larger than that."""
        count, size = wanted.shape
        squares, largest, places = np.zeros(count), np.full(count, -1.0), np.zeros(count, np.int64)
        for start in range(0, size, _BLOCK_VALUES):
            part = slice(start, start + _BLOCK_VALUES)
            one, other = wanted[:, part].astype(np.float64), given[:, part].astype(np.float64)
            with np.errstate(invalid="ignore", over="ignore"):
                error = other - one
                squares += np.square(error).sum(axis=1)
            finite = np.isfinite(error)
            distance = np.where(finite, np.abs(error), np.inf)
            top = distance.argmax(axis=1)
            furthest = distance[np.arange(count), top]
            places = np.where(furthest > largest, start + top, places)
            largest = np.maximum(furthest, largest)
            self._note_values(one[finite], other[finite], error[finite])
            self.not_finite += int(finite.size - np.count_nonzero(finite))
        badness = np.sqrt(squares / size)
        return _RowErrors(np.where(np.isfinite(badness), badness, np.inf), places)

    def _note_values(self, wanted: _Floats, given: _Floats, error: _Floats) -> None:
        pairs = np.stack([wanted, given], axis=1)
        self._note_sizes(error)
        self._note_uniform(pairs)
        self._note_farthest(pairs, np.abs(error))

    def _note_sizes(self, error: _Floats) -> None:
        size = np.abs(error)
        differs = size > 0
        self.equal += int(size.size - np.count_nonzero(differs))
        if not differs.any():
            return
        bins = np.floor((np.log10(size[differs]) - _FIRST_DECADE) * _FINE_BINS).astype(np.int64)
        bins = bins.clip(0, self.above.size - 1)
        too_large = error[differs] > 0
        self.above += np.bincount(bins[too_large], minlength=self.above.size)
        self.below += np.bincount(bins[~too_large], minlength=self.below.size)

    def _note_uniform(self, pairs: _Floats) -> None:
        """Keep the pairs of the smallest random keys: a uniform sample without replacement (Vitter's reservoir)."""
        keys = self._random.random(len(pairs))
        if len(self._keys) == _UNIFORM_POINTS:
            chosen = keys < self._keys.max()
            keys, pairs = keys[chosen], pairs[chosen]
        keys, pairs = np.concatenate([self._keys, keys]), np.concatenate([self._pairs, pairs])
        if len(keys) > _UNIFORM_POINTS:
            kept = np.argpartition(keys, _UNIFORM_POINTS)[:_UNIFORM_POINTS]
            keys, pairs = keys[kept], pairs[kept]
        self._keys, self._pairs = keys, pairs

    def _note_farthest(self, pairs: _Floats, size: _Floats) -> None:
        if len(pairs) > _WORST_POINTS:
            pairs = pairs[np.argpartition(-size, _WORST_POINTS)[:_WORST_POINTS]]
        together = np.concatenate([self._farthest, pairs])
        distance = np.abs(together[:, 1] - together[:, 0])
        order = np.argsort(-distance, kind="stable")[:_WORST_POINTS]
        self._farthest = together[order][distance[order] > 0]

    def _histogram(self) -> ErrorHistogram:
        """The bins in use, whole decades of them, merged until they are few enough to draw."""
        used = np.flatnonzero(self.above + self.below)
        if not used.size:
            return ErrorHistogram(0, 1, (), (), self.equal, self.not_finite)
        first, last = int(used[0]) // _FINE_BINS, int(used[-1]) // _FINE_BINS + 1
        per_decade = next((bins for bins in (20, 10, 5, 4, 2) if (last - first) * bins <= _MOST_BINS), 1)
        span = slice(first * _FINE_BINS, last * _FINE_BINS)
        above, below = (_merged(side[span], _FINE_BINS // per_decade) for side in (self.above, self.below))
        return ErrorHistogram(first + _FIRST_DECADE, per_decade, above, below, self.equal, self.not_finite)

    def _scatter(self) -> Scatter:
        order = np.lexsort((self._pairs[:, 1], self._pairs[:, 0]))
        uniform = self._pairs[order]
        return Scatter(
            *(_rounded(column) for column in (uniform[:, 0], uniform[:, 1], self._farthest[:, 0], self._farthest[:, 1]))
        )

    def _worst_sample(self, inputs: Path) -> WorstSample | None:
        found = self.worst
        if found is None or found.badness == 0:
            return None
        arrays = read_batch(inputs / found.batch) if (inputs / found.batch).is_file() else {}
        return WorstSample(
            index=found.index,
            batch=found.batch,
            row=found.row,
            rms_error=found.badness if np.isfinite(found.badness) else None,
            place=found.place,
            expected=_finite(found.expected),
            actual=_finite(found.actual),
            inputs=tuple(
                picture_input(name, array[found.row])
                for name, array in arrays.items()
                if array.ndim and found.row < array.shape[0]
            ),
        )


def _merged(counts: npt.NDArray[np.int64], bins: int) -> tuple[int, ...]:
    return tuple(int(count) for count in counts.reshape(-1, bins).sum(axis=1))


def _rounded(values: _Floats) -> tuple[float, ...]:
    """Seven significant digits: all that a float32 has."""
    return tuple(float(f"{value:.7g}") for value in values)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
