"""Running a float TFLite model on calibration samples: what each activation held, and the outputs."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from quantize.calibration.never_negative import never_negative
from quantize.calibration.readout import Reader
from quantize.calibration.samples import digest_of
from quantize.calibration.shown import write_shown
from quantize.calibration.statistics import Extremes, Floats
from quantize.operators import activation_bytes
from verify.errors import ModelUnreadable, SamplesInvalid
from verify.runners.base import Batch
from verify.runners.tflite_file import TensorMap
from verify.threads import runtime_threads

MOST_BYTES_A_LANE = 2**28
"""Of activations: a larger model is held in memory once, and gets all threads."""


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

    Samples are taken one or two ahead: several run side by side, each on a thread and an interpreter of its own.

    Raises ``SamplesInvalid`` when the model cannot run a sample, or gives NaN or nothing finite on one,
    ``QuantizationFailed`` when LiteRT does not show a tensor.
    """
    lanes = runtime_threads() if activation_bytes(model) <= MOST_BYTES_A_LANE else 1
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder, ThreadPoolExecutor(lanes) as pool:
        shown = Path(folder) / model.name
        write_shown(model, shown, names.subgraph, [at for _, at in tensors])
        non_negative = never_negative(model)
        idle: SimpleQueue[_Lane] = SimpleQueue()
        for _ in range(lanes):
            idle.put(_Lane(shown, names, tensors, non_negative, runtime_threads() // lanes))

        def observed(number: int, sample: Batch) -> Observation:
            lane = idle.get()
            try:
                return lane.observed(number, sample)
            finally:
                idle.put(lane)

        running: deque[Future[Observation]] = deque()
        for number, sample in enumerate(samples, start=1):
            running.append(pool.submit(observed, number, sample))
            if len(running) > lanes:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


class _Lane:
    """An interpreter, and who reads it."""

    def __init__(
        self,
        shown: Path,
        names: TensorMap,
        tensors: Sequence[tuple[str, int]],
        non_negative: frozenset[int],
        threads: int,
    ) -> None:
        self._names = names
        self._interpreter = _open(shown, threads)
        self._run = _signature_runner(self._interpreter, names)
        self._reader = Reader(self._interpreter, names.subgraph, tensors, non_negative)

    def observed(self, number: int, sample: Batch) -> Observation:
        try:
            self._run(sample)
        except (RuntimeError, ValueError) as error:
            raise SamplesInvalid(
                f"the model cannot run calibration sample {number} "
                f"({', '.join(f'{key} {value.dtype}{list(value.shape)}' for key, value in sample.items())}): "
                f"{error}",
                fix="give samples of the shapes and types that the model takes",
            ) from error
        seen = self._reader.read(number)
        outputs = {name: self._interpreter.get_tensor(at, self._names.subgraph) for name, at in self._names.outputs}
        extremes = Extremes(
            np.array([each.low for each in seen], np.float32), np.array([each.high for each in seen], np.float32)
        )
        return Observation(digest_of(sample), sample, outputs, extremes, tuple(each.part for each in seen))


def _open(model: Path, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(model), num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelUnreadable(f"LiteRT cannot open {model.name}: {error}") from error
    return interpreter


def _signature_runner(interpreter: Any, names: TensorMap) -> Any:
    if names.key is not None:
        runner = interpreter.get_signature_runner(names.key)
        return lambda sample: runner(**sample)

    def run(sample: Batch) -> None:
        for name, at in names.inputs:
            interpreter.resize_tensor_input(at, sample[name].shape)
        interpreter.allocate_tensors()
        for name, at in names.inputs:
            interpreter.set_tensor(at, sample[name])
        interpreter.invoke()

    return run
