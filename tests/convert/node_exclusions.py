"""Which node tests TFLite cannot express at all, and why. A rule that excludes a case that passes is a mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from node_cases import Case

ROADS = ("tensorflow", "litert")


@dataclass(frozen=True)
class Exclusion:
    """Cases that do not count on some roads."""

    reason: str
    applies: Callable[[Case], bool]
    roads: tuple[str, ...] = ROADS


def _has_type(*names: str) -> Callable[[Case], bool]:
    return lambda case: any(kind.startswith(names) for kind in case.types)


def _has_op(*names: str) -> Callable[[Case], bool]:
    return lambda case: any(op.startswith(names) for op in case.ops)


def _named(pattern: str) -> Callable[[Case], bool]:
    expression = re.compile(pattern)
    return lambda case: expression.search(case.name) is not None


_MOVED_DOUBLES = _named("cast|^test_identity|shape|^test_size|^test_optional|^test_eyelike|^test_einsum_scalar")

EXCLUSIONS = (
    Exclusion("text: TFLite computes with numbers", _has_type("STRING")),
    Exclusion(
        "float8, float4 or bfloat16 numbers",
        lambda case: _has_type("FLOAT8", "FLOAT4", "BFLOAT16")(case) or _named("e4m3|e5m2|float4e2m1")(case),
    ),
    Exclusion(
        "4-bit integers, which TFLite has in constants only",
        lambda case: _has_type("INT4", "UINT4")(case) or _named("linear_u?int4$")(case),
    ),
    Exclusion(
        "a sequence or an optional value: a TFLite signature takes and gives tensors", _has_type("sequence", "optional")
    ),
    Exclusion("ai.onnx.ml: classical machine learning", _has_op("ai.onnx.ml")),
    Exclusion("ai.onnx.preview.training: optimizers", _has_op("ai.onnx.preview")),
    Exclusion("every input has to be a constant, which leaves nothing to run", _has_op("MelWeightMatrix")),
    Exclusion("random numbers", _has_op("Bernoulli", "Random")),
    Exclusion("decodes compressed images", _has_op("ImageDecoder")),
    Exclusion("training mode", _named("_training_mode|^test_training_dropout")),
    Exclusion(
        "the expected output is written with four digits; onnxruntime is as far from it",
        _named("test_averagepool_2d_ceil_last_window_starts_on_pad|test_roialign_aligned"),
    ),
    Exclusion(
        "the expected output wraps where ONNX's definition, and onnxruntime, saturate", _named("qlinearmatmul_.D_int8_")
    ),
    Exclusion(
        "float64: TFLite has no kernels for it",
        lambda case: _has_type("DOUBLE")(case) and not _MOVED_DOUBLES(case),
        ("litert",),
    ),
    Exclusion(
        "uint64: TFLite has no kernels for it",
        lambda case: _has_type("UINT64")(case) and not _named("pow_types")(case),
        ("litert",),
    ),
    Exclusion(
        "a tensor without elements, which LiteRT neither takes nor gives",
        _named(
            "int_shape_zero|allowzero_reordered|start_greater_than_end|zero_size_split|tri[lu]_zero|reduced_axis_zero|start_out"
        ),
        ("litert",),
    ),
    Exclusion(
        "infinite results: TFLite's compiler writes infinities as the largest float32",
        _named("qk_matmul_bias_[34]d_mask_causal|reduce_(max|min|log_sum|log_sum_exp)_empty_set"),
        ("litert",),
    ),
)


def exclusion(case: Case, road: str) -> str | None:
    """The first reason for which the case does not count on that road; ``None`` if it counts."""
    return next((rule.reason for rule in EXCLUSIONS if road in rule.roads and rule.applies(case)), None)
