"""Running a float TFLite model on calibration samples: what each activation held, and the outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from quantize.calibration.lanes import Lane, in_lanes
from quantize.calibration.never_negative import never_negative
from quantize.calibration.readout import summary_of
from quantize.calibration.samples import digest_of
from quantize.calibration.statistics import Extremes, Floats
from verify.runners.base import Batch
from verify.runners.tflite_file import TensorMap


@dataclass(frozen=True)
class Observation:
    """One sample as the model took it, what it gave for it, and what its tensors held, in the order asked for.

    ``digest`` is the sample's content hash. ``parts`` are the values of each tensor that are counted; the extremes are
    of all its values.
    """

    digest: bytes
    inputs: Batch
    outputs: Batch
    extremes: Extremes
    parts: tuple[Floats, ...] = ()

    def without_parts(self) -> Observation:
        """What is small enough to keep."""
        return replace(self, parts=())


def observe(
    model: Path, names: TensorMap, tensors: Sequence[tuple[str, int]], samples: Iterable[Batch]
) -> Iterator[Observation]:
    """Run each sample and yield what was seen of ``tensors`` (name, index in the subgraph), in the samples' order.

    Raises ``SamplesInvalid`` when the model cannot run a sample, or gives NaN or nothing finite on one,
    ``QuantizationFailed`` when LiteRT does not show a tensor.
    """
    non_negative = never_negative(model)

    def look(lane: Lane, number: int, sample: Batch) -> Observation:
        seen = [summary_of(name, lane.values(name, at), number, at in non_negative) for name, at in tensors]
        lows, highs = np.array([(each.low, each.high) for each in seen], np.float32).reshape(-1, 2).T
        parts = tuple(each.part for each in seen)
        return Observation(digest_of(sample), sample, lane.outputs(), Extremes(lows, highs), parts)

    return in_lanes(model, names, [at for _, at in tensors], samples, look)
