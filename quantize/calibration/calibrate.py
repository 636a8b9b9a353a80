"""A float model and samples → the range of every activation."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from quantize.calibration.observe import observe
from quantize.calibration.ranges import RunningRanges
from quantize.calibration.samples import SampleStream
from quantize.recipe import Calibration, OpRule, RangeMethod, TensorRange
from quantize.rules import observed_tensors
from verify.errors import SamplesInvalid
from verify.runners.tflite_file import open_model, tensor_map


def calibrate(
    model: Path, ops: Collection[OpRule], samples: SampleStream, method: RangeMethod = RangeMethod.MOVING_AVERAGE
) -> Calibration:
    """Run the samples through the float model; raises ``SamplesInvalid`` if there are none or one cannot be used."""
    with open_model(model) as opened:
        names = tensor_map(opened)
    tensors = observed_tensors(model, ops)
    running = RunningRanges()
    for seen in observe(model, names, tensors, samples):
        running.update(seen)
    if not running.sample_count:
        raise SamplesInvalid(
            f"{samples.source} holds no whole calibration sample: every input needs at least one row",
            fix="give a few dozen samples of what the model will see",
        )
    ranges = running.of(method)
    found = zip((name for name, _ in tensors), ranges.low, ranges.high, strict=True)
    return Calibration(
        method=method,
        sample_count=samples.count,
        data_sha256=samples.sha256,
        ranges=tuple(TensorRange(name, float(low), float(high)) for name, low, high in found),
    )
