"""The samples of a run: which judge, which calibrate, which measure the noise floor."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from convert.hosts import Hosts
from convert.mixing import add_mixed_inputs
from convert.pipeline import Step
from convert.settings import RunSettings
from convert.stages.base import Host, Stage
from convert.start import Start
from quantize.calibration.sources import SYNTHETIC
from verify.artifact import Artifact, sha256_of
from verify.batches import batch_paths
from verify.report.types import Refusal, StageReport
from verify.samples import ArrayFile, InputSpec, RandomSamples, SampleSource, parse_samples
from verify.samples.axes import Sizes, described, other_sizes, write_other_sizes
from verify.samples.mixed import MixedInput
from verify.samples.source import CallableSamples
from verify.samples.write import JUDGING_BATCH_SIZES, write_batches, write_calibration

FLOOR_BATCHES = 2
"""Three samples are enough to measure a noise floor on; float64 takes PyTorch two to ten times as long."""


@dataclass(frozen=True)
class SamplePlan:
    """Where samples come from. ``calibration`` is ``None`` when no static int8 is wanted."""

    judging: SampleSource
    calibration: SampleSource | None
    hold_out: bool
    max_judging: int
    max_calibration: int


@dataclass(frozen=True)
class PreparedSamples:
    """Folders of batches, ready to feed. ``floor`` holds the first batches of ``judging``."""

    judging: Path
    floor: Path
    description: str
    batch_sizes: tuple[int, ...]
    sample_count: int
    calibration: Path | None = None
    calibration_sha256: str = ""
    refusals: tuple[Refusal, ...] = ()
    mixed: tuple[MixedInput, ...] = ()
    """Of several inputs: batches that try each one by itself."""


def plan_samples(settings: RunSettings, max_calibration: int, given: ArrayFile | None = None) -> SamplePlan:
    """What the settings ask for. Data given to calibrate on also judges, held out, unless other data is named for that.

    ``max_calibration`` is 0 where nothing is calibrated; ``given`` are calibration samples that were written for this
    run (:mod:`convert.given_samples`).

    Raises ``SamplesInvalid`` when a source is none.
    """
    calibration: SampleSource | None = given
    if given is None and settings.calibration:
        calibration = parse_samples(settings.calibration, seed=settings.seed)
    hold_out = calibration is not None and settings.evaluation is None
    judging = calibration if hold_out and calibration else parse_samples(settings.evaluation, seed=settings.seed)
    random = isinstance(judging, RandomSamples)
    max_judging = sum(JUDGING_BATCH_SIZES) if random else settings.max_judging
    wanted = calibration if max_calibration else None
    return SamplePlan(judging, wanted, hold_out, max_judging, max_calibration)


def prepare_samples(inputs: tuple[InputSpec, ...], plan: SamplePlan, folder: Path) -> PreparedSamples:
    """Job: write every sample the run needs below ``folder``."""
    judging = write_batches(
        source=plan.judging,
        inputs=inputs,
        folder=folder / "judging",
        max_judging=plan.max_judging,
        hold_out=plan.hold_out,
    )
    floor = folder / "floor"
    floor.mkdir()
    for path in batch_paths(judging.folder)[:FLOOR_BATCHES]:
        os.link(path, floor / path.name)
    calibration = None
    if plan.calibration is not None:
        calibration = write_calibration(
            source=plan.calibration,
            inputs=inputs,
            folder=folder / "calibration",
            max_samples=plan.max_calibration,
            max_judging=plan.max_judging,
            hold_out=plan.hold_out,
        )
    return PreparedSamples(
        judging=judging.folder,
        floor=floor,
        description=judging.description,
        batch_sizes=judging.batch_sizes,
        sample_count=judging.sample_count,
        calibration=calibration.folder if calibration else None,
        calibration_sha256=sha256_of(calibration.folder) if calibration else "",
        refusals=_without_repeats((*judging.refusals, *(calibration.refusals if calibration else ()))),
    )


@dataclass
class MoreBatches:
    """An observer that adds batches once the export has told which there can be: of other sizes, of mixed inputs."""

    hosts: Hosts
    start: Start
    samples: Callable[[], PreparedSamples]
    sizes: tuple[Sizes, ...] = ()
    mixed: tuple[MixedInput, ...] | None = None

    def started(self, stage: Stage) -> None:
        """Nothing to do: sizes follow the export."""

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """Before anything is run on the judging samples."""
        del report, remaining
        if step.stage.host is Host.TORCH and self.mixed is None:
            self._add_sizes(artifact)
            self.add_mixed()

    def add_mixed(self) -> None:
        """At once, where there is no export to wait for."""
        self.mixed = add_mixed_inputs(self.hosts, self.start, self.samples().judging)

    def _add_sizes(self, artifact: Artifact) -> None:
        self.sizes = other_sizes(self.start.inputs, artifact.signature.axes)
        if self.sizes:
            self.hosts.worker(Host.RUNTIME).run(
                write_other_sizes, folder=self.samples().judging, inputs=self.start.inputs, sizes=self.sizes
            )

    def told(self) -> PreparedSamples:
        """The samples with the batches that were added, their description with the sizes."""
        samples = replace(self.samples(), mixed=self.mixed or ())
        sizes = "; ".join(described(each) for each in self.sizes)
        return replace(samples, description=f"{samples.description}, also at {sizes}") if sizes else samples


def content_sha256(settings: RunSettings) -> str | None:
    """Hash of all sample data a run reads; ``None`` when only running it can tell (a callable).

    Synthetic inputs follow from the checkpoint, the seed and the code.
    """
    digest = hashlib.sha256()
    for text in (settings.calibration, settings.evaluation):
        if text == SYNTHETIC:
            digest.update(SYNTHETIC.encode())
            continue
        source = parse_samples(text, seed=settings.seed)
        if isinstance(source, CallableSamples):
            return None
        digest.update(repr(source).encode())
        if not isinstance(source, RandomSamples):
            digest.update(sha256_of(source.path).encode())
    return digest.hexdigest()


def _without_repeats(refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    return tuple(dict.fromkeys(refusals))
