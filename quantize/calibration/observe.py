"""Running a float TFLite model on calibration samples: what each activation held, and the outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from quantize.calibration.never_negative import never_negative
from quantize.calibration.readout import Reader
from quantize.calibration.shown import write_shown
from quantize.calibration.statistics import Extremes, Floats
from verify.errors import ModelUnreadable, SamplesInvalid
from verify.runners.base import Batch
from verify.runners.tflite_file import TensorMap
from verify.threads import runtime_threads


@dataclass(frozen=True)
class Observation:
    """One sample as the model took it, what it gave for it, and what its tensors held, in the order asked for.

    ``parts`` are the values of each tensor that are counted; the extremes are of all its values.
    """

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
    """Run each sample and yield what was seen of ``tensors`` (name, index in the subgraph).

    Raises ``SamplesInvalid`` when the model cannot run a sample, or gives NaN or nothing finite on one,
    ``QuantizationFailed`` when LiteRT does not show a tensor.
    """
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder, ThreadPoolExecutor(runtime_threads()) as pool:
        shown = Path(folder) / model.name
        write_shown(model, shown, names.subgraph, [at for _, at in tensors])
        interpreter = _open(shown)
        run = _signature_runner(interpreter, names)
        reader = Reader(interpreter, names.subgraph, tensors, never_negative(model), runtime_threads())
        for number, sample in enumerate(samples, start=1):
            try:
                run(sample)
            except (RuntimeError, ValueError) as error:
                raise SamplesInvalid(
                    f"the model cannot run calibration sample {number} "
                    f"({', '.join(f'{key} {value.dtype}{list(value.shape)}' for key, value in sample.items())}): "
                    f"{error}",
                    fix="give samples of the shapes and types that the model takes",
                ) from error
            seen = reader.read(number, pool)
            outputs = {name: interpreter.get_tensor(at, names.subgraph) for name, at in names.outputs}
            extremes = Extremes(
                np.array([each.low for each in seen], np.float32), np.array([each.high for each in seen], np.float32)
            )
            yield Observation(sample, outputs, extremes, tuple(each.part for each in seen))


def _open(model: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(model), num_threads=runtime_threads())
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
