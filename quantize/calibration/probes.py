"""A few samples to try files on: held back from those that set the ranges, and the same ones in any order."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter

from quantize.calibration.observe import Observation
from verify.runners.base import Batch

MAX_PROBES = 24
ENOUGH = 4
"""Probes held back. With fewer, as of a dozen samples, all samples set ranges and are tried."""

_ONE_IN = 4


def is_held_back(digest: bytes) -> bool:
    """Whether a sample of that hash is to be tried only: one in four, whichever came before it."""
    return digest[0] % _ONE_IN == 0


@dataclass(frozen=True)
class Probe:
    """A sample as the model took it, and the float model's outputs."""

    held_back: bool
    seen: Observation


@dataclass
class Probes:
    """Keeps those held back first, then those with the smallest hashes."""

    _kept: list[Probe] = field(default_factory=list)

    def offer(self, probe: Probe) -> None:
        """Keep a sample if it goes before another one."""
        self._kept.append(probe)
        self._kept.sort(key=lambda each: (not each.held_back, each.seen.digest))
        del self._kept[MAX_PROBES:]

    @property
    def held_back(self) -> tuple[Probe, ...]:
        """Those kept that set no range in a trial."""
        return tuple(each for each in self._kept if each.held_back)

    @property
    def all(self) -> tuple[Probe, ...]:
        """All that were kept."""
        return tuple(self._kept)


@dataclass
class SmallestHashes:
    """Samples with the smallest hashes, in their order: the same ones, in whatever order they come."""

    kept: list[tuple[bytes, Batch]] = field(default_factory=list)

    def offer(self, digest: bytes, sample: Batch, most: int) -> None:
        """Keep at most so many, none twice."""
        if any(digest == known for known, _ in self.kept):
            return
        self.kept.append((digest, sample))
        self.kept.sort(key=itemgetter(0))
        del self.kept[most:]
