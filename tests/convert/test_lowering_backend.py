"""ONNX's own backend tests, op by op: what the lowering accepts it computes as ONNX says."""

from __future__ import annotations

from pathlib import Path

import lowering_jobs
import onnx
import pytest
from lowering_jobs import CaseOutcome

from verify.worker import Worker

DATA = Path(onnx.__file__).parent / "backend/test/data/node"

EVERYDAY = (
    "test_averagepool_2d", "test_batchnorm", "test_clip", "test_concat", "test_conv_", "test_convtranspose",
    "test_depthtospace_", "test_expand", "test_flatten", "test_gather_", "test_gelu", "test_gemm", "test_globalaverage",
    "test_hardsigmoid", "test_hardswish", "test_instancenorm", "test_lrn", "test_matmul", "test_maxpool_2d", "test_pad",
    "test_edge_pad", "test_reflect_pad", "test_wrap_pad", "test_prelu", "test_reduce_mean", "test_reshape_",
    "test_resize_", "test_slice", "test_softmax", "test_split_", "test_squeeze", "test_transpose", "test_unsqueeze",
)  # fmt: skip
"""Families whose cases run every time; the others run with the slow tests."""

EXPECTED_IN_FOUR_DIGITS = "test_averagepool_2d_ceil_last_window_starts_on_pad"
"""This case's expected output is written with four digits."""

REFUSED = (
    "_training_mode", "_FLOAT4E2M1", "_FLOAT8E", "_INT4", "_UINT4", "_BFLOAT16", "test_cast_e8m0", "_no_saturate",
    "test_convtranspose_dilations", "test_dropout_default_mask", "test_training_dropout", "test_maxpool_with_argmax",
    "tf_crop_and_resize", "not_larger", "not_smaller", "cubic_align_corners", "downsample_scales_linear_align_corners",
    "_string", "test_identity_opt", "test_identity_sequence", "test_einsum_scalar", "test_scatternd_multiply",
    "test_scatter_elements_with_reduction_m", "test_layer_normalization",
)  # fmt: skip
"""What the lowering does not do, and says so: types TFLite lacks, training, ambiguous sampling."""


def _run(families: tuple[str, ...] | None, folder: Path) -> list[CaseOutcome]:
    with Worker("tensorflow", log_path=folder / "worker.log", preload=("tensorflow",)) as worker:
        names = worker.run(lowering_jobs.lowerable_cases, data=DATA, families=families or ("test_",)).value
        outcomes = worker.run(lowering_jobs.run_backend_cases, names=names, data=DATA).value
    return [outcome for outcome in outcomes if outcome.name != EXPECTED_IN_FOUR_DIGITS]


def _expect_no_lie(outcomes: list[CaseOutcome]) -> None:
    wrong = [outcome for outcome in outcomes if outcome.result == "different"]
    assert not wrong
    unexpected = [o for o in outcomes if o.result != "same" and not any(part in o.name for part in REFUSED)]
    assert not unexpected


def test_everyday_ops_compute_what_onnx_says(tmp_path: Path) -> None:
    outcomes = _run(EVERYDAY, tmp_path)

    _expect_no_lie(outcomes)
    assert sum(outcome.result == "same" for outcome in outcomes) >= 150


@pytest.mark.slow
def test_all_ops_compute_what_onnx_says(tmp_path: Path) -> None:
    outcomes = _run(None, tmp_path)

    _expect_no_lie(outcomes)
    assert sum(outcome.result == "same" for outcome in outcomes) >= 700
