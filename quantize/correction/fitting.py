"""The samples that corrections are fitted to: no probes, and the same ones in whatever order samples come."""

from __future__ import annotations

from pathlib import Path

from quantize.calibration.probes import SmallestHashes, is_held_back
from quantize.operators import activation_bytes
from verify.runners.base import Batch

MOST_SAMPLES = 64
FEWEST_SAMPLES = 4
MOST_BYTES = 2**29
"""Of activations that all samples make on their way: bounds time and memory. MobileNetV2 makes 30 MB a sample. Half as
much saves it 0.2 s; ResNet18 loses nothing by it, ShuffleNetV2 0.3 dB (means of five draws, which differ by 0.4)."""


class FittingSamples:
    """Keeps some of the samples that it is offered, as many as time and memory allow for ``model``."""

    def __init__(self, model: Path) -> None:
        self._most = min(max(MOST_BYTES // max(activation_bytes(model), 1), FEWEST_SAMPLES), MOST_SAMPLES)
        self._probes, self._others = SmallestHashes(), SmallestHashes()

    def offer(self, digest: bytes, sample: Batch) -> None:
        """A sample and its hash; to offer it twice changes nothing."""
        (self._probes if is_held_back(digest) else self._others).offer(digest, sample, self._most)

    @property
    def chosen(self) -> list[Batch]:
        """Of what was offered; probes among them only where there is next to nothing else."""
        found = SmallestHashes(list(self._others.kept))
        if len(found.kept) < FEWEST_SAMPLES:
            for digest, sample in self._probes.kept:
                found.offer(digest, sample, self._most)
        return [sample for _, sample in found.kept]
