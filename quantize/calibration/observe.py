"""Running a float TFLite model on calibration samples: the smallest and largest value of each tensor, and the outputs.

This gives exactly the numbers of the quantizer library's own calibration (a test compares the two), without copying
every weight of the model for every sample as that does.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from verify.errors import ModelUnreadable, QuantizationFailed, SamplesInvalid
from verify.runners.base import Batch
from verify.runners.tflite_file import TensorMap
from verify.threads import runtime_threads

PADDING_LIMIT = 3e38
"""Values at or beyond it are padding (-inf, -3.4e38 before a max pool), no activations."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Extremes:
    """One sample's smallest and largest values, in the order of the tensors asked for. Both are (tensors,)."""

    low: Floats
    high: Floats


@dataclass(frozen=True)
class Observation:
    """One sample as the model took it, what it gave for it, and the extremes on the way."""

    inputs: Batch
    outputs: Batch
    extremes: Extremes


def observe(
    model: Path, names: TensorMap, tensors: Sequence[tuple[str, int]], samples: Iterable[Batch]
) -> Iterator[Observation]:
    """Run each sample and yield what was seen of ``tensors`` (name, index in the subgraph).

    Raises ``SamplesInvalid`` when the model cannot run a sample, or gives NaN or nothing finite on one,
    ``QuantizationFailed`` when LiteRT does not show a tensor.
    """
    interpreter = _open(model)
    run = _signature_runner(interpreter, names)
    for number, sample in enumerate(samples, start=1):
        try:
            run(sample)
        except (RuntimeError, ValueError) as error:
            raise SamplesInvalid(
                f"the model cannot run calibration sample {number} "
                f"({', '.join(f'{key} {value.dtype}{list(value.shape)}' for key, value in sample.items())}): {error}",
                fix="give samples of the shapes and types that the model takes",
            ) from error
        pairs = [_extremes(_values(interpreter, at, names.subgraph, name), name, number) for name, at in tensors]
        low, high = zip(*pairs, strict=True) if pairs else ((), ())
        outputs = {name: interpreter.get_tensor(at, names.subgraph) for name, at in names.outputs}
        yield Observation(sample, outputs, Extremes(np.array(low, np.float32), np.array(high, np.float32)))


def _open(model: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that preserving all tensors costs memory: that is the point
            interpreter = Interpreter(
                model_path=str(model),
                num_threads=runtime_threads(),
                experimental_op_resolver_type=OpResolverType.BUILTIN,
                experimental_preserve_all_tensors=True,
            )
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


def _values(interpreter: Any, at: int, subgraph: int, name: str) -> npt.NDArray[Any]:
    """What a tensor held in the last run. LiteRT keeps none of some tensors around loops and recurrent layers."""
    try:
        values: npt.NDArray[Any] = interpreter.get_tensor(at, subgraph)
    except ValueError as error:
        raise QuantizationFailed(
            f"LiteRT keeps no values of tensor {name!r}, so its range cannot be learnt: {error}",
            fix="use the float16 or dynamic int8 file",
        ) from error
    return values


def _extremes(values: npt.NDArray[Any], name: str, number: int) -> tuple[float, float]:
    if not values.size:
        return 0.0, 0.0
    low, high = float(values.min()), float(values.max())
    if low > -PADDING_LIMIT and high < PADDING_LIMIT:
        return low, high
    activations = values[(values > -PADDING_LIMIT) & (values < PADDING_LIMIT)]
    if np.isnan(values).any() or not activations.size:
        raise SamplesInvalid(
            f"tensor {name!r} holds {'NaN' if np.isnan(values).any() else 'no finite value'} "
            f"on calibration sample {number}",
            fix="check that sample, and that the float model gives finite numbers on it",
        )
    return float(activations.min()), float(activations.max())
