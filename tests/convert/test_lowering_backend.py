"""ONNX's own backend tests, op by op, in TensorFlow and in LiteRT: what is accepted is computed as ONNX says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from node_cases import case_names, read_case
from node_exclusions import EXCLUSIONS, ROADS, exclusion
from node_runner import Roads, run_cases

TABLE = Path(__file__).parents[2] / "docs" / "onnx_ops.json"
PASSING = 0.95
"""Of the cases that TFLite can express."""

EVERYDAY = (
    "test_add_", "test_attention_4d_gqa", "test_averagepool_2d_p", "test_averagepool_2d_same", "test_batchnorm",
    "test_clip_d", "test_concat_2d", "test_constant_pad", "test_conv_", "test_convtranspose_p", "test_convtranspose_o",
    "test_deform_conv", "test_depthtospace_", "test_div_int", "test_edge_pad", "test_erf", "test_expand",
    "test_gather_elements", "test_gather_0", "test_gelu", "test_gemm_a", "test_gemm_d", "test_globalaverage",
    "test_hardsigmoid", "test_hardswish", "test_instancenorm", "test_layer_normalization_2d_axis1", "test_lrn",
    "test_matmul", "test_maxpool_2d_p", "test_maxpool_with", "test_nonmaxsuppression_s", "test_prelu",
    "test_qlinearmatmul_2D_u", "test_reduce_mean", "test_reflect_pad", "test_reshape_n", "test_resize_tf",
    "test_resize_upsample_scales_l", "test_rms_normalization_2d_axis1", "test_roialign", "test_scatternd", "test_slice",
    "test_softmax", "test_split_eq", "test_transpose", "test_unsqueeze_axis",
)  # fmt: skip
"""Families whose cases run every time; the others run with the slow tests."""


def _counted(outcomes: list[Roads], road: str) -> list[str]:
    """The results that count on a road."""
    return [getattr(each, road).result for each in outcomes if exclusion(read_case(each.name), road) is None]


def _expect_no_lie(outcomes: list[Roads]) -> None:
    wrong = [
        each.name
        for each in outcomes
        for road in ROADS
        if getattr(each, road).result == "different" and exclusion(read_case(each.name), road) is None
    ]
    assert not wrong


def _expect_no_needless_exclusion(outcomes: list[Roads]) -> None:
    needless = [
        (each.name, road, reason)
        for each in outcomes
        for road in ROADS
        if getattr(each, road).result == "same" and (reason := exclusion(read_case(each.name), road))
    ]
    assert not needless


def test_everyday_ops_compute_what_onnx_says_in_tensorflow_and_in_litert(tmp_path: Path) -> None:
    names = tuple(name for name in case_names(EVERYDAY) if "_expanded" not in name)

    outcomes = list(run_cases(names, tmp_path))

    _expect_no_lie(outcomes)
    for road in ROADS:
        counted = Counter(_counted(outcomes, road))
        assert counted["same"] >= 140
        assert counted["same"] >= PASSING * counted.total()


@pytest.mark.slow
def test_all_ops_compute_what_onnx_says_in_tensorflow_and_in_litert(tmp_path: Path) -> None:
    outcomes = list(run_cases(case_names(), tmp_path))

    _expect_no_lie(outcomes)
    _expect_no_needless_exclusion(outcomes)
    for road in ROADS:
        counted = Counter(_counted(outcomes, road))
        assert counted["same"] >= PASSING * counted.total()


def test_the_table_excludes_nothing_that_passes_and_hides_nothing_wrong() -> None:
    cases = json.loads(TABLE.read_text())["cases"]

    assert not [
        (case["name"], road)
        for case in cases
        for road in ROADS
        if case[road]["excluded"] and case[road]["result"] == "same"
    ]
    assert not [
        (case["name"], road)
        for case in cases
        for road in ROADS
        if not case[road]["excluded"] and case[road]["result"] == "different"
    ]


def test_the_table_has_every_case_and_the_exclusions_of_now() -> None:
    cases = json.loads(TABLE.read_text())["cases"]

    assert tuple(case["name"] for case in cases) == case_names()
    assert all(case[road]["excluded"] == exclusion(read_case(case["name"]), road) for case in cases for road in ROADS)
    for road in ROADS:
        results = Counter(case[road]["result"] for case in cases if not case[road]["excluded"])
        assert results["same"] >= PASSING * results.total()


def test_every_exclusion_excludes_something_and_says_why() -> None:
    cases = [read_case(name) for name in case_names()]

    assert all(any(rule.applies(case) for case in cases) for rule in EXCLUSIONS)
    assert len({rule.reason for rule in EXCLUSIONS}) == len(EXCLUSIONS)
