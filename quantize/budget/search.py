"""The cheapest set of ops in float with which an int8 file keeps its budget.

1. With nothing lifted, or what is faster in float, the budget may be met: done.
2. Each op's noise at the outputs when it alone is int8 (:mod:`quantize.budget.sensitivity`).
3. Ops in order of noise per cost; as many from the front as the budget needs, by bisection on the samples that judge.
4. What can be put back to int8 again without missing the budget is put back, the dearest first.

The same inputs give the same set: cost is computed, latency decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from quantize.budget.candidates import Candidates
from quantize.budget.cost import Costs
from quantize.budget.goal import Requirement, Score, Standing, samples_needed, standing
from quantize.budget.judge import Judge
from quantize.budget.sensitivity import Sensitivities, Unit, by_worth, sensitivities

MOST_PUT_BACK = 12
"""Trials of step 4."""

Enough = Callable[["Point"], bool]


@dataclass(frozen=True)
class Point:
    """A file that was tried. ``lifted`` are op indices, ``cost`` is 1 for none of them."""

    lifted: frozenset[int]
    score: Score
    standing: Standing
    cost: float
    int8_macs: float
    size_bytes: int


@dataclass(frozen=True)
class Found:
    """All that was tried, in order, and the one to take. ``noise`` is empty where nothing had to be lifted."""

    points: tuple[Point, ...]
    best: Point
    noise: Sensitivities = field(default_factory=Sensitivities)


@dataclass
class Search:
    """One search. ``least_int8_macs`` is the share of multiplications that no set may go below."""

    candidates: Candidates
    costs: Costs
    judge: Judge
    limits: tuple[Requirement, ...]
    least_int8_macs: float
    _points: dict[frozenset[int], Point] = field(default_factory=dict)

    def run(self, probes: Judge) -> Found:
        """``probes`` are calibration samples: they tell which ops hurt, and judge nothing."""
        self._try(())
        start = self._try_units(())
        if start.standing is Standing.MET or (start.standing is Standing.UNCERTAIN and not self._can_be_sure()):
            return Found(tuple(self._points.values()), self._best())
        noise = sensitivities(self.candidates, probes)
        prefixes = self._prefixes(by_worth(noise.units, self.costs))
        if prefixes:
            self._search(prefixes)
        return Found(tuple(self._points.values()), self._best(), noise)

    def _search(self, prefixes: list[tuple[Unit, ...]]) -> None:
        most = self._try_units(prefixes[-1])
        if most.standing is Standing.MISSED:
            return
        enough = _is_met if most.standing is Standing.MET else _is_not_missed
        low, high = -1, len(prefixes) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(self._try_units(prefixes[middle])) else (middle, high)
        self._put_back(prefixes[high], enough)

    def _put_back(self, units: tuple[Unit, ...], enough: Enough) -> None:
        kept = list(units)
        dearest = sorted(units, key=lambda unit: self._cost_without(units, unit))
        for unit in dearest[:MOST_PUT_BACK]:
            without = tuple(each for each in kept if each is not unit)
            cheaper = self.costs.of(self._closed(without)) < self.costs.of(self._closed(tuple(kept)))
            if cheaper and enough(self._try_units(without)):
                kept.remove(unit)

    def _cost_without(self, units: tuple[Unit, ...], unit: Unit) -> float:
        return self.costs.of(self._closed(tuple(each for each in units if each is not unit)))

    def _prefixes(self, order: Sequence[Unit]) -> list[tuple[Unit, ...]]:
        """One more unit each time, those passed over with which too little would stay int8."""
        found: list[tuple[Unit, ...]] = []
        for unit in order:
            wider = (*(found[-1] if found else ()), unit)
            if self.costs.int8_macs(self._closed(wider)) >= self.least_int8_macs:
                found.append(wider)
        return found

    def _closed(self, units: tuple[Unit, ...]) -> frozenset[int]:
        return self.costs.closed({op for unit in units for op in unit.ops})

    def _try_units(self, units: tuple[Unit, ...]) -> Point:
        return self._try(self._closed(units))

    def _try(self, lifted: Collection[int]) -> Point:
        key = frozenset(lifted)
        if key not in self._points:
            with self.candidates.made(key) as path:
                score, size = self.judge.score(path), path.stat().st_size
            self._points[key] = Point(
                key, score, standing(self.limits, score), self.costs.of(key), self.costs.int8_macs(key), size
            )
        return self._points[key]

    def _best(self) -> Point:
        """The cheapest that surely meets the budget; else that meets it on the samples; else the closest."""
        points = list(self._points.values())
        for enough in (_is_met, _is_not_missed):
            good = [point for point in points if enough(point)]
            if good:
                return min(good, key=lambda point: point.cost)
        return max(points, key=lambda point: (closeness(self.limits, point.score), -point.cost))

    def _can_be_sure(self) -> bool:
        """Whether the float file itself would surely be inside, with so many samples."""
        return samples_needed(self.limits, self.judge.perfect(), self.judge.count) is None


def closeness(limits: Sequence[Requirement], score: Score) -> float:
    """How far inside the limit that is worst off, relative to the limit; negative outside."""
    return min(limit.slack(score) / max(abs(limit.limit), 1e-6) for limit in limits)


def _is_met(point: Point) -> bool:
    return point.standing is Standing.MET


def _is_not_missed(point: Point) -> bool:
    return point.standing is not Standing.MISSED
