"""A float model and samples → what every activation held, and a few samples to try ranges on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from quantize.calibration.effects import Effect, effects
from quantize.calibration.method_names import RangeMethod
from quantize.calibration.observe import Observation, observe
from quantize.calibration.probes import ENOUGH, Probe, Probes, is_held_back
from quantize.calibration.ranges import ranges_by, with_whole_inputs
from quantize.calibration.sample_checks import SampleChecks
from quantize.calibration.samples import ContentHash, SampleStream
from quantize.calibration.statistics import Extremes, MovingAverage, Statistics
from quantize.recipe import Calibration, OpRule, TensorRange
from quantize.rules import observed_tensors
from verify.errors import SamplesInvalid
from verify.runners.base import Batch
from verify.runners.tflite_file import open_model, tensor_map


@dataclass(frozen=True)
class Calibrated:
    """What calibration saw: ``fitted`` on the samples but the probes, ``everything`` on all.

    Where there were too few samples to hold any back, both are of all, and ``probes`` are among them.
    """

    tensors: tuple[str, ...]
    effects: tuple[Effect, ...]
    steps: int
    """In a range: 255 of int8 activations."""
    inputs: tuple[int, ...]
    """Which of the tensors the model takes."""
    fitted: Statistics
    everything: Statistics
    moving_average: Extremes
    sample_count: int
    data_sha256: str
    probes: tuple[Observation, ...]
    notes: tuple[str, ...]

    @property
    def holds_back(self) -> bool:
        """Whether ``fitted`` saw none of the probes."""
        return self.fitted is not self.everything

    def calibration(self, method: RangeMethod, *, on_trial: bool = False) -> Calibration:
        """Ranges by a method; ``on_trial`` without the probes, on which they are then to be tried."""
        seen = self.fitted if on_trial else self.everything
        average = method is RangeMethod.AVERAGE
        found = self.moving_average if average else ranges_by(method, seen, self.effects, self.steps)
        if method is RangeMethod.MSE:
            found = with_whole_inputs(found, seen.widest, self.inputs)
        listed = zip(self.tensors, found.low, found.high, strict=True)
        ranges = tuple(TensorRange(name, float(low), float(high)) for name, low, high in listed)
        return Calibration(method, self.sample_count, self.data_sha256, ranges)


def calibrate(
    model: Path,
    ops: Collection[OpRule],
    samples: SampleStream,
    also: Callable[[bytes, Batch], None] = lambda _digest, _sample: None,
) -> Calibrated:
    """Run the samples through the float model; raises ``SamplesInvalid`` if there are none or one cannot be used.

    ``also`` is told of every sample, and its hash before it.
    """
    with open_model(model) as opened:
        names = tensor_map(opened)
    tensors, read_by = observed_tensors(model, ops), effects(model)
    fitted, held_back = Statistics(len(tensors)), Statistics(len(tensors))
    probes, average, checks, content = Probes(), MovingAverage(), SampleChecks(), ContentHash()
    for seen in observe(model, names, tensors, samples):
        content.add(seen.digest)
        also(seen.digest, seen.inputs)
        checks.add(seen.inputs, seen.outputs, seen.digest)
        average.add(seen.extremes)
        apart = is_held_back(seen.digest)
        (held_back if apart else fitted).add(seen.extremes, seen.parts)
        probes.offer(Probe(apart, seen.without_parts()))
    if average.extremes is None:
        raise SamplesInvalid(
            f"{samples.source} holds no whole calibration sample: every input needs at least one row",
            fix="give a few dozen samples of what the model will see",
        )
    everything = fitted.merged(held_back)
    apart = min(len(probes.held_back), fitted.samples) >= ENOUGH
    return Calibrated(
        tensors=tuple(name for name, _ in tensors),
        steps=2 ** min((rule.activations.bits for rule in ops), default=8) - 1,
        inputs=tuple(index for index, (_, at) in enumerate(tensors) if at in {at for _, at in names.inputs}),
        effects=tuple(read_by.get(at, Effect.IDENTITY) for _, at in tensors),
        fitted=fitted if apart else everything,
        everything=everything,
        moving_average=average.extremes,
        sample_count=samples.count,
        data_sha256=content.sha256,
        probes=tuple(probe.seen for probe in (probes.held_back if apart else probes.all)),
        notes=checks.notes(),
    )
