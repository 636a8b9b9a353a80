"""What an edge is judged against: a noise floor for float edges, a declared SQNR for quantized ones.

The floor of an output is how far the float32 reference is from the same model at float64 on the judging samples, and
never less than one rounding of the output, 2^-24 of its RMS (of its largest value, for the largest error). Where no
float64 can be had it is the expected size of the graph's roundings (:mod:`verify.rounding.bound`). A float edge passes
when its RMS error and its largest error are both within ``FLOAT_MARGIN`` floors.

The hard bound γ_n does not decide: for deep nets it is far too wide (ResNet18: 31,716 roundings, 54 dB, where float16
weights make 77 dB). It is told beside an error that is over tolerance: beyond γ_n no order of additions explains it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from verify.errors import InfrastructureError
from verify.rounding.bound import UNIT_ROUNDOFF, Roundings, expected_error

if TYPE_CHECKING:
    from verify.metrics import Array, ErrorSums

FLOAT_MARGIN = 16.0
"""How many noise floors a float edge may be off, RMS and largest error alike (24 dB).

Two independent float32 implementations differ by the root of the sum of their squared errors: 1.4 floors when they are
equally good. One that adds n terms in one chain, where PyTorch keeps 16 to 64 partial sums, is up to the root of that
number worse: 4 to 8. Measured on ResNet18, MobileNetV2 and V3, SqueezeNet, AlexNet, EfficientNet-B0, VGG16,
ShuffleNetV2, MNASNet, RegNetY and ResNet50 (8 photo crops, batches 1, 2, 5; RMS and largest error in floors):

    onnxruntime    0.9 to 1.6    1.0 to 1.9
    SavedModel     1.3 to 1.9    1.1 to 2.4
    LiteRT         1.3 to 5.8    1.3 to 6.9   (the largest on AlexNet: dense layers of 9216 inputs)

Over the 271 coverage subjects (docs/coverage.json) LiteRT's error is 1.3 times onnxruntime's in the median, 2.6 at the
95th percentile and 6.2 at most (EfficientNet-B4): 12 floors where onnxruntime has its worst 1.9.

The smallest real fault tried on ResNet18 lies far outside: one convolution's weights rounded to float16 is 171 floors
(77 dB), a batch-norm epsilon of 2e-5 for 1e-5 is 391 (70 dB).
"""

ROUNDINGS_WITHOUT_GRAPH = 8192
"""Assumed where neither a float64 model nor a graph can be had (a SavedModel alone), or an op's roundings are unknown.

It is what a net of a dozen layers makes; with the margin it demands 91 dB, and nets that agree reach 110 to 140.
"""

FLOAT16_MIN_SQNR_DB = 30.0
"""Noise at 0.1 % of the signal's energy at most. Trained nets reach 60 to 75; a random MobileNetV2 had 39."""

INT8_MIN_SQNR_DB = 15.0
"""Noise at 3 % of the signal's energy at most, however the int8 was made: with fixed ranges or dynamic ones."""

INT8_MIN_EQUAL_INTEGERS = 0.9
"""Of an output of integers, labels say: the share that a quantized model must give exactly as the float one does."""


@dataclass(frozen=True)
class OutputFloor:
    """The noise floor of one output; ``basis`` says where it comes from, as a phrase."""

    name: str
    rms: float
    max_abs: float
    basis: str
    roundings: int | None = None
    """How many lie behind the output, where they were counted."""


@dataclass(frozen=True)
class FloatBudget:
    """A float edge: at most ``margin`` floors, output by output."""

    floors: tuple[OutputFloor, ...]
    margin: float = FLOAT_MARGIN
    kind: Literal["float"] = "float"

    def floor(self, name: str) -> OutputFloor | None:
        """The floor of that output, if it was measured."""
        return next((floor for floor in self.floors if floor.name == name), None)

    @property
    def phrase(self) -> str:
        """``16 × the noise floor (float32 against float64 PyTorch)``."""
        bases = sorted({floor.basis for floor in self.floors})
        return f"{self.margin:g} × the noise floor ({'; '.join(bases) or 'none was measured'})"


@dataclass(frozen=True)
class QuantizedBudget:
    """A quantized edge: at least so much SQNR, output by output; of integers (labels), at least so many the same."""

    min_sqnr_db: float
    min_equal_integers: float = INT8_MIN_EQUAL_INTEGERS
    kind: Literal["quantized"] = "quantized"

    @property
    def phrase(self) -> str:
        """``at least 15 dB SQNR``."""
        return f"at least {self.min_sqnr_db:g} dB SQNR"


Budget = FloatBudget | QuantizedBudget


def quantized_budget(artifact_name: str, int8_min_sqnr_db: float = INT8_MIN_SQNR_DB) -> QuantizedBudget:
    """The declared budget of ``float16``, ``dynamic_int8`` or ``int8``; raises ``KeyError`` for any other name."""
    budgets_db = {
        "float16": FLOAT16_MIN_SQNR_DB,
        "dynamic_int8": int8_min_sqnr_db,
        "int8": int8_min_sqnr_db,
    }
    return QuantizedBudget(budgets_db[artifact_name])


PYTORCH_BASIS = "float32 against float64 PyTorch"


def measure_floors(
    float32_outputs: Path,
    float64_outputs: Path,
    basis: str = PYTORCH_BASIS,
    roundings: tuple[Roundings, ...] = (),
) -> tuple[OutputFloor, ...]:
    """Job: the floor of every output from the same model run in float32 and in float64.

    float64 may have run on the first batches only. Rounding is relative, so the floor grows with the outputs: where
    those of all batches are larger than those that it was measured on, it is larger in proportion, and never smaller.
    """
    from verify.batches import batch_paths, read_batch
    from verify.metrics import ErrorSums

    sums: dict[str, ErrorSums] = {}
    for path in batch_paths(float64_outputs):
        reference, single = read_batch(path), read_batch(float32_outputs / path.name)
        if reference.keys() != single.keys():
            raise InfrastructureError(f"{path.name}: float32 and float64 runs gave different outputs")
        for name, expected in reference.items():
            sums[name] = sums.get(name, ErrorSums()) + finite_sums(expected, single[name])
    sizes = _output_sizes(float32_outputs)
    counts = {each.output: each.count for each in roundings}
    return tuple(
        OutputFloor(
            name,
            max(total.rms_error, UNIT_ROUNDOFF * total.rms_expected)
            * _growth(total.rms_expected, sizes[name].rms_expected),
            max(total.max_abs_error, UNIT_ROUNDOFF * total.max_abs_expected)
            * _growth(total.max_abs_expected, sizes[name].max_abs_expected),
            basis,
            counts.get(name),
        )
        for name, total in sums.items()
    )


def _growth(measured_on: float, all_outputs: float) -> float:
    """How much larger the outputs of all samples are than those of the samples that the floor was measured on."""
    growth = all_outputs / measured_on if measured_on else 1.0
    return max(1.0, growth) if math.isfinite(growth) else 1.0


def _output_sizes(outputs: Path) -> dict[str, ErrorSums]:
    from verify.batches import batch_paths, read_batch
    from verify.metrics import ErrorSums

    sums: dict[str, ErrorSums] = {}
    for path in batch_paths(outputs):
        for name, values in read_batch(path).items():
            sums[name] = sums.get(name, ErrorSums()) + finite_sums(values, values)
    return sums


def finite_sums(expected: Array, actual: Array) -> ErrorSums:
    """Of the values that are finite on both sides: what is not has no rounding, and is judged by itself."""
    import numpy as np

    from verify.metrics import error_sums

    finite = np.isfinite(expected) & np.isfinite(actual) if expected.dtype.kind == "f" else None
    if finite is None or finite.all():
        return error_sums(expected, actual)
    return error_sums(expected[finite], actual[finite])


def rounding_floors(outputs: Path, roundings: tuple[Roundings, ...] = ()) -> tuple[OutputFloor, ...]:
    """Job: floors from the outputs' own size and the roundings behind them, where no float64 reference can be run."""
    by_name = {each.output: each for each in roundings}
    return tuple(_rounding_floor(name, total, by_name.get(name)) for name, total in _output_sizes(outputs).items())


def _rounding_floor(name: str, total: ErrorSums, found: Roundings | None) -> OutputFloor:
    count = found.count if found else None
    factor = expected_error(ROUNDINGS_WITHOUT_GRAPH if count is None else count)
    basis = f"expected size of the graph's {count} roundings, no float64 reference"
    if count is None:
        why = f": {found.reason}" if found and found.reason else ""
        basis = f"expected size of {ROUNDINGS_WITHOUT_GRAPH} roundings, a guess without float64 or a graph{why}"
    return OutputFloor(name, factor * total.rms_expected, factor * total.max_abs_expected, basis, count)
