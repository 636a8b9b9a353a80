"""What was quantized and how, as data: enough to make the same int8 file again from the float file, without samples.

Ranges are what calibration saw, in real units; scales and zero points follow from them. A recipe is written beside the
file it describes as ``NAME.recipe.json``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from quantize.calibration.method_names import RangeMethod
from quantize.correction.decisions import Corrections
from verify.atomic import write_text
from verify.errors import InputError

DEFAULT_MAX_SAMPLES = 128
"""Calibration samples beyond these seldom move a range."""

SCHEMA_VERSION = "3"
SUFFIX = ".recipe.json"


class IoType(StrEnum):
    """What the float inputs and outputs of the original become. Integer inputs (token ids …) stay as they are."""

    INT8 = "int8"
    UINT8 = "uint8"
    FLOAT32 = "float32"
    INT16 = "int16"


class IoOption(StrEnum):
    """``--int8-io``: an :class:`IoType` that an int8 file can have."""

    INT8 = "int8"
    UINT8 = "uint8"
    FLOAT32 = "float32"


class Precision(StrEnum):
    """What an op computes in."""

    INT8 = "int8"
    INT16 = "int16"
    FLOAT = "float"


@dataclass(frozen=True)
class PerTensor:
    """One scale and zero point for the whole tensor: ``scale.shape == ()``."""

    kind: Literal["per_tensor"] = "per_tensor"


@dataclass(frozen=True)
class PerChannel:
    """One scale for each slice along ``axis``: for weights (out, h, w, in) and axis 0, ``scale.shape == (out,)``."""

    axis: int
    kind: Literal["per_channel"] = "per_channel"


Granularity = PerTensor | PerChannel


@dataclass(frozen=True)
class TensorRule:
    """How one kind of tensor is stored."""

    bits: int
    symmetric: bool
    granularity: Granularity


ACTIVATIONS_INT8 = TensorRule(bits=8, symmetric=False, granularity=PerTensor())
ACTIVATIONS_INT16 = TensorRule(bits=16, symmetric=True, granularity=PerTensor())
"""With int8 weights: "16x8". LiteRT's int16 kernels want a zero point of 0."""


@dataclass(frozen=True)
class OpRule:
    """How every op of one type is quantized. ``op`` is the TFLite name; ``weights`` is None where it has none."""

    op: str
    activations: TensorRule
    weights: TensorRule | None


@dataclass(frozen=True)
class InputStats:
    """How a byte, 0 to 255, at an input means a real number: real = (byte - mean) / std."""

    input: str
    mean: float
    std: float

    def limits(self) -> tuple[float, float]:
        """What 0 and 255 mean."""
        return (0 - self.mean) / self.std, (255 - self.mean) / self.std


@dataclass(frozen=True)
class Override:
    """One op that is not computed as its type's rule says; ``output`` is the name of a tensor that it gives."""

    output: str
    precision: Precision


@dataclass(frozen=True)
class TensorRange:
    """The real values that a tensor is made to hold, ``low`` to ``high``."""

    tensor: str
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """What the ranges were learnt from and how. ``data_sha256`` is over the samples used, as the model takes them."""

    method: RangeMethod
    sample_count: int
    data_sha256: str
    ranges: tuple[TensorRange, ...]
    synthetic: bool = False
    """Whether the samples are no real ones, so that accuracy is not known."""


@dataclass(frozen=True)
class Recipe:
    """How an int8 file was made. ``input_sha256`` is the float file's; ``ops`` lists every op type that became int8."""

    input_sha256: str
    engine: str
    engine_version: str
    io: IoType
    ops: tuple[OpRule, ...]
    calibration: Calibration
    overrides: tuple[Override, ...] = ()
    input_stats: tuple[InputStats, ...] = ()
    corrections: Corrections = field(default_factory=Corrections)
    schema_version: str = SCHEMA_VERSION

    @property
    def activations(self) -> TensorRule:
        """Of ops that nothing else is said of."""
        return self.ops[0].activations if self.ops else ACTIVATIONS_INT8


def recipe_path_beside(model: Path) -> Path:
    """``net_int8.tflite`` → ``net.recipe.json`` in the same folder."""
    return model.with_name(model.name.removesuffix(".tflite").removesuffix("_int8") + SUFFIX)


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe as JSON, whole or not at all."""
    from verify.jsonio import to_jsonable

    write_text(path, json.dumps(to_jsonable(recipe), indent=1, ensure_ascii=False) + "\n")


def read_recipe(path: Path) -> Recipe:
    """The recipe that :func:`write_recipe` wrote; raises ``InputError`` for anything else."""
    from pydantic import ValidationError

    from verify.jsonio import from_jsonable

    try:
        recipe: Recipe = from_jsonable(Recipe, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise InputError(
            f"{path} is not a quantization recipe: {error}",
            fix="give the NAME.recipe.json that was written beside an int8 file",
        ) from error
    if recipe.schema_version != SCHEMA_VERSION:
        raise InputError(
            f"{path} is a recipe of schema {recipe.schema_version}; this version reads {SCHEMA_VERSION}",
            fix="quantize again from the calibration samples",
        )
    return recipe
