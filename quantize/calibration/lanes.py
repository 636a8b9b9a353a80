"""Running a float TFLite model on samples, several side by side, and looking at what its tensors hold."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from quantize.calibration.shown import write_shown
from quantize.operators import activation_bytes
from verify.errors import ModelUnreadable, QuantizationFailed, SamplesInvalid
from verify.runners.base import Batch
from verify.runners.tflite_file import TensorMap
from verify.threads import runtime_threads

MOST_BYTES_A_LANE = 2**28
"""Of activations: a larger model is held in memory once, and gets all threads."""

T = TypeVar("T")


class Lane:
    """An interpreter that has run a sample."""

    def __init__(self, shown: Path, names: TensorMap, threads: int) -> None:
        self._names = names
        self._interpreter = _open(shown, threads)
        self._invoke = _signature_runner(self._interpreter, names)

    def run(self, number: int, sample: Batch) -> None:
        """Run a sample, the ``number``-th; raises ``SamplesInvalid``."""
        try:
            self._invoke(sample)
        except (RuntimeError, ValueError) as error:
            raise SamplesInvalid(
                f"the model cannot run calibration sample {number} "
                f"({', '.join(f'{key} {value.dtype}{list(value.shape)}' for key, value in sample.items())}): "
                f"{error}",
                fix="give samples of the shapes and types that the model takes",
            ) from error

    def values(self, name: str, at: int) -> npt.NDArray[Any]:
        """What a shown tensor holds: LiteRT's own memory where it can be had, which the next run overwrites."""
        try:
            if self._names.subgraph == 0:
                return np.asarray(self._interpreter.tensor(at)())
            return np.asarray(self._interpreter.get_tensor(at, self._names.subgraph))
        except ValueError as error:
            raise QuantizationFailed(
                f"LiteRT keeps no values of tensor {name!r}, so its range cannot be learnt: {error}",
                fix="use the float16 or dynamic int8 file",
            ) from error

    def outputs(self) -> Batch:
        """What the model gave."""
        return {name: self._interpreter.get_tensor(at, self._names.subgraph) for name, at in self._names.outputs}


def in_lanes(
    model: Path,
    names: TensorMap,
    tensors: Collection[int],
    samples: Iterable[Batch],
    look: Callable[[Lane, int, Batch], T],
) -> Iterator[T]:
    """What ``look`` makes of each sample after it has run, given its number too, in the samples' order.

    ``tensors`` are those of the main subgraph that it looks at. Samples are taken one or two ahead: each lane has a
    thread and an interpreter of its own.
    """
    count = runtime_threads() if activation_bytes(model) <= MOST_BYTES_A_LANE else 1
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder, ThreadPoolExecutor(count) as pool:
        shown = Path(folder) / model.name
        write_shown(model, shown, names.subgraph, tensors)
        idle: SimpleQueue[Lane] = SimpleQueue()
        for _ in range(count):
            idle.put(Lane(shown, names, runtime_threads() // count))

        def looked(number: int, sample: Batch) -> T:
            lane = idle.get()
            try:
                lane.run(number, sample)
                return look(lane, number, sample)
            finally:
                idle.put(lane)

        running: deque[Future[T]] = deque()
        for number, sample in enumerate(samples, start=1):
            running.append(pool.submit(looked, number, sample))
            if len(running) > count:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


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
