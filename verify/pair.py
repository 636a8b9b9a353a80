"""Two model files, the same samples, one verdict: what the ``verify`` command does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from verify.alike import pair_tensors
from verify.artifact import Artifact, Format
from verify.batches import renamed
from verify.compare import compare_edge
from verify.errors import InfrastructureError, InputError
from verify.opening import Layout, Opened, format_of, open_model
from verify.report.types import EdgeReport, Refusal
from verify.runners import run_artifact
from verify.runners.record import RunRecord
from verify.samples.source import SampleSource
from verify.samples.spec import InputSpec
from verify.samples.write import JUDGING_BATCH_SIZES, write_batches
from verify.signature import TensorSpec
from verify.tolerance import Budget, FloatBudget, QuantizedBudget, quantized_budget, rounding_floors
from verify.worker import Limits, Worker


@dataclass(frozen=True)
class PairSettings:
    """``min_sqnr_db`` replaces the budget that follows from how the files are quantized."""

    layouts: tuple[Layout, ...] = ()
    max_samples: int = 32
    min_sqnr_db: float | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class PairReport:
    """What came of it. Latencies are medians of single-sample inferences in milliseconds."""

    expected: Path
    actual: Path
    samples: str
    edge: EdgeReport
    expected_latency_ms: float | None
    actual_latency_ms: float | None
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def verify_pair(expected: Path, actual: Path, source: SampleSource, settings: PairSettings) -> PairReport:
    """Run both models on the same samples, each in a worker, and compare what they give.

    Raises a ``ToolError`` when a file cannot be opened or run, or when the two cannot be fed the same samples.
    """
    with _scratch() as scratch, ExitStack() as stack:
        workers = _Workers(stack, scratch / "verify.log", settings.limits)
        first, second = (_open(workers, path, settings.layouts) for path in (expected, actual))
        inputs = pair_tensors("input", first, second)
        outputs = pair_tensors("output", first, second)
        batches = (
            workers.of(Format.TFLITE)
            .run(
                write_batches,
                source=source,
                inputs=tuple(_input_spec(spec) for spec in first.artifact.signature.inputs),
                folder=scratch / "batches",
                max_judging=settings.max_samples,
                batch_sizes=_batch_sizes(first, second),
            )
            .value
        )
        their_batches = renamed(batches.folder, scratch / "their_batches", inputs) if inputs else batches.folder
        one = _run(workers, first.artifact, batches.folder, scratch / "expected")
        other = _run(workers, second.artifact, their_batches, scratch / "given")
        ours = {theirs: name for name, theirs in outputs.items()}
        edge = compare_edge(
            expected_name=expected.name,
            actual_name=actual.name,
            expected=scratch / "expected",
            actual=renamed(scratch / "given", scratch / "actual", ours) if ours else scratch / "given",
            budget=_budget(first, second, scratch / "expected", settings.min_sqnr_db),
            sample_count=batches.sample_count,
        )
    return PairReport(
        expected=expected,
        actual=actual,
        samples=batches.description,
        edge=edge,
        expected_latency_ms=one.latency_ms,
        actual_latency_ms=other.latency_ms,
        notes=tuple(f"{name} is {theirs} in {actual.name}" for name, theirs in (inputs | outputs).items()),
        refusals=batches.refusals,
    )


class _Workers:
    """One worker for TensorFlow and one for everything else, each started when first asked for."""

    def __init__(self, stack: ExitStack, log: Path, limits: Limits) -> None:
        self._stack, self._log, self._limits = stack, log, limits
        self._started: dict[str, Worker] = {}

    def of(self, kind: Format) -> Worker:
        name = "tensorflow" if kind is Format.SAVED_MODEL else "runtime"
        if name not in self._started:
            preload = ("tensorflow",) if name == "tensorflow" else ()
            worker = Worker(name, log_path=self._log, preload=preload, limits=self._limits)
            self._started[name] = self._stack.enter_context(worker)
        return self._started[name]


def _open(workers: _Workers, path: Path, layouts: tuple[Layout, ...]) -> Opened:
    return workers.of(format_of(path)).run(open_model, path=path, layouts=layouts).value


def _run(workers: _Workers, artifact: Artifact, batches: Path, outputs: Path) -> RunRecord:
    worker = workers.of(artifact.format)
    return worker.run(run_artifact, artifact=artifact, batches=batches, outputs=outputs, measure_latency=True).value


@contextmanager
def _scratch() -> Iterator[Path]:
    """A temporary folder; when the machine failed, its log is kept and named in the error."""
    folder = Path(tempfile.mkdtemp(prefix="verify-"))
    try:
        yield folder
    except InfrastructureError as error:
        log = folder / "verify.log"
        if log.exists():
            kept = folder.with_suffix(".log")
            shutil.copyfile(log, kept)
            error.within(f"log: {kept}")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _batch_sizes(*models: Opened) -> tuple[int, ...]:
    """1, 2 and 5, unless a model takes one batch size only."""
    firsts = [spec.shape[0] for opened in models for spec in opened.artifact.signature.inputs if spec.shape]
    fixed = sorted({size for size in firsts if isinstance(size, int)})
    if len(fixed) > 1:
        raise InputError(f"the models take batches of {fixed[0]} and of {fixed[1]}: expected one size or a dynamic one")
    return tuple(fixed) or JUDGING_BATCH_SIZES


def _input_spec(spec: TensorSpec) -> InputSpec:
    """A quantized input is fed real values; other integers get 0 and 1, which are valid as index, mask and flag."""
    if spec.quantization is not None:
        return InputSpec(spec.name, spec.torch_shape)
    if spec.dtype.startswith(("int", "uint")):
        return InputSpec(spec.name, spec.torch_shape, spec.dtype, low=0, high=1)
    return InputSpec(spec.name, spec.torch_shape, spec.dtype)


def _budget(expected: Opened, actual: Opened, outputs: Path, min_sqnr_db: float | None) -> Budget:
    """The loosest that either file calls for; two float files are judged in noise floors."""
    if min_sqnr_db is not None:
        return QuantizedBudget(min_sqnr_db)
    from verify.runners.tflite_inspect import quantized_kind

    files = [opened.artifact for opened in (expected, actual) if opened.artifact.format is Format.TFLITE]
    kinds = [kind for kind in map(quantized_kind, (file.path for file in files)) if kind is not None]
    if kinds:
        return min((quantized_budget(kind) for kind in kinds), key=lambda budget: budget.min_sqnr_db)
    return FloatBudget(rounding_floors(outputs))
