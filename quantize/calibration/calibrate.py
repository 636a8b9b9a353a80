"""A float model and samples → the range of every activation, and a few samples to try ranges on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from quantize.calibration.observe import Observation, observe
from quantize.calibration.ranges import RunningRanges
from quantize.calibration.samples import SampleStream
from quantize.recipe import Calibration, OpRule, TensorRange
from quantize.rules import observed_tensors
from verify.errors import SamplesInvalid
from verify.runners.tflite_file import open_model, tensor_map

MAX_PROBES = 48

_KNUTH = 2654435761
"""Multiplicative hashing (The Art of Computer Programming 6.4): consecutive numbers land far apart."""


@dataclass(frozen=True)
class Calibrated:
    """What calibration saw. ``probes`` are samples with the float model's outputs, spread evenly over all of them."""

    tensors: tuple[str, ...]
    ranges: RunningRanges
    sample_count: int
    data_sha256: str
    probes: tuple[Observation, ...]

    def widened(self, by: float) -> Calibration:
        """Ranges ``by`` of the way from the moving average (0) to the widest (1)."""
        found = self.ranges.widened(by)
        listed = zip(self.tensors, found.low, found.high, strict=True)
        ranges = tuple(TensorRange(name, float(low), float(high)) for name, low, high in listed)
        return Calibration(by, self.sample_count, self.data_sha256, ranges)


def calibrate(model: Path, ops: Collection[OpRule], samples: SampleStream) -> Calibrated:
    """Run the samples through the float model; raises ``SamplesInvalid`` if there are none or one cannot be used."""
    with open_model(model) as opened:
        names = tensor_map(opened)
    tensors = observed_tensors(model, ops)
    ranges, probes = RunningRanges(), _Spread()
    for seen in observe(model, names, tensors, samples):
        ranges.update(seen.extremes)
        probes.offer(seen)
    if not probes.kept:
        raise SamplesInvalid(
            f"{samples.source} holds no whole calibration sample: every input needs at least one row",
            fix="give a few dozen samples of what the model will see",
        )
    return Calibrated(tuple(name for name, _ in tensors), ranges, samples.count, samples.sha256, tuple(probes.kept))


@dataclass
class _Spread:
    """Keeps some of a stream whose length is not known: the same ones each time, in step with no period of it."""

    kept: list[Observation] = field(default_factory=list)
    _keys: list[int] = field(default_factory=list)
    _offered: int = 0

    def offer(self, seen: Observation) -> None:
        key = self._offered * _KNUTH % 2**32
        self._offered += 1
        self.kept.append(seen)
        self._keys.append(key)
        if len(self.kept) > MAX_PROBES:
            highest = self._keys.index(max(self._keys))
            del self.kept[highest], self._keys[highest]
