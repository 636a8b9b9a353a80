from __future__ import annotations

import numpy as np
import pytest
from rewritten import Rewritten

FEW_ROUNDINGS = 2e-6


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def statistics(channels: int) -> dict[str, np.ndarray]:
    return {
        "gamma": normal(channels, seed=1),
        "beta": normal(channels, seed=2),
        "mean": normal(channels, seed=3),
        "var": np.abs(normal(channels, seed=4)) + np.float32(0.01),
    }


BN = "BatchNormalization <epsilon = 0.001> ({0}, gamma, beta, mean, var)"


@pytest.mark.parametrize(
    ("op", "weight", "channels"),
    [
        ("Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w, b)", normal(8, 6, 3, 3), 8),
        ("Conv <kernel_shape = [3, 3], group = 3> (x, w, b)", normal(9, 2, 3, 3), 9),
        ("ConvTranspose <kernel_shape = [2, 2], strides = [2, 2], group = 2> (x, w, b)", normal(6, 5, 2, 2), 10),
        ("ConvTranspose <kernel_shape = [3, 3]> (x, w, b)", normal(6, 4, 3, 3), 4),
    ],
)
def test_batch_norm_folds_into_the_convolution_before_it(op, weight, channels):
    net = Rewritten(
        f"net (float[N, 6, 7, 7] x) => (float[N, {channels}, h, v] y) {{ a = {op} y = {BN.format('a')} }}",
        w=weight,
        b=normal(channels, seed=5),
        **statistics(channels),
    )
    assert net.ops["Conv"] == 1
    assert net.ops.keys().isdisjoint({"BatchNormalization", "Mul", "Add"})
    assert net.difference() < FEW_ROUNDINGS


@pytest.mark.parametrize("attributes", ["transB = 1, alpha = 0.5, beta = 2.0", "beta = 0.25"])
def test_batch_norm_folds_into_the_gemm_before_it(attributes):
    weight = normal(8, 6) if "transB" in attributes else normal(6, 8)
    net = Rewritten(
        f"net (float[N, 6] x) => (float[N, 8] y) {{ a = Gemm <{attributes}> (x, w, b) y = {BN.format('a')} }}",
        w=weight,
        b=normal(8, seed=5),
        **statistics(8),
    )
    assert net.ops == {"Gemm": 1}
    assert net.difference() < FEW_ROUNDINGS


def test_a_convolution_without_bias_gets_one():
    net = Rewritten(
        f"net (float[N, 6, 5, 5] x) => (float[N, 8, 3, 3] y) {{ a = Conv(x, w) y = {BN.format('a')} }}",
        w=normal(8, 6, 3, 3),
        **statistics(8),
    )
    assert net.ops == {"Conv": 1}
    assert net.difference() < FEW_ROUNDINGS


def test_a_shared_weight_changes_for_one_convolution_only():
    net = Rewritten(
        f"""net (float[N, 6, 5, 5] x) => (float[N, 6, 3, 3] y, float[N, 6, 3, 3] z)
        {{ a = Conv(x, w) y = {BN.format("a")} z = Conv(x, w) }}""",
        w=normal(6, 6, 3, 3),
        **statistics(6),
    )
    assert net.ops == {"Conv": 2}
    assert net.difference() < FEW_ROUNDINGS


def test_a_convolution_that_is_used_elsewhere_too_keeps_its_batch_norm():
    net = Rewritten(
        f"""net (float[N, 6, 5, 5] x) => (float[N, 6, 3, 3] y, float[N, 6, 3, 3] z)
        {{ a = Conv(x, w) y = {BN.format("a")} z = Relu(a) }}""",
        w=normal(6, 6, 3, 3),
        **statistics(6),
    )
    assert net.ops["BatchNormalization"] == 1
    assert [(note.applied, note.reason) for note in net.notes] == [
        (False, "the output of the Conv before it is used elsewhere too")
    ]


def test_batch_norm_folds_into_the_gemm_after_it():
    net = Rewritten(
        f"""net (float[N, 6] x) => (float[N, 8] y)
        {{ a = {BN.format("x")} y = Gemm <transB = 1, alpha = 0.5, beta = 3.0> (a, w, b) }}""",
        w=normal(8, 6),
        b=normal(8, seed=5),
        **statistics(6),
    )
    assert net.ops == {"Gemm": 1}
    assert net.difference() < FEW_ROUNDINGS


def test_batch_norm_folds_into_an_unpadded_convolution_after_it():
    net = Rewritten(
        f"""net (float[N, 6, 7, 7] x) => (float[N, 4, 5, 5] y)
        {{ a = {BN.format("x")} y = Conv <group = 2> (a, w) }}""",
        w=normal(4, 3, 3, 3),
        **statistics(6),
    )
    assert net.ops == {"Conv": 1}
    assert net.difference() < FEW_ROUNDINGS


def test_batch_norm_before_a_padded_convolution_stays():
    net = Rewritten(
        f"""net (float[N, 6, 7, 7] x) => (float[N, 4, 7, 7] y)
        {{ a = {BN.format("x")} y = Conv <pads = [1, 1, 1, 1]> (a, w) }}""",
        w=normal(4, 6, 3, 3),
        **statistics(6),
    )
    assert net.ops == {"BatchNormalization": 1, "Conv": 1}
    assert [note.reason for note in net.notes] == ["the Conv after it pads with 0 after the batch norm"]
    assert net.difference() == 0


def test_batch_norm_on_flattened_tokens_folds_into_the_matmul_before_it():
    net = Rewritten(
        f"""net (float[N, 7, 6] x) => (float[M, 8] y) {{ a = MatMul(x, w) s = Constant <value_ints = [-1, 8]> ()
        b = Reshape(a, s) y = {BN.format("b")} }}""",
        w=normal(6, 8),
        **statistics(8),
    )
    assert {op: count for op, count in net.ops.items() if op != "Constant"} == {"MatMul": 1, "Reshape": 1, "Add": 1}
    assert net.difference() < FEW_ROUNDINGS


def test_batch_norm_whose_channels_are_not_the_last_axis_of_the_matmul_stays():
    net = Rewritten(
        f"""net (float[N, 8, 6] x) => (float[M, 8, 4] y) {{ a = MatMul(x, w) y = {BN.format("a")} }}""",
        w=normal(6, 4),
        **statistics(8),
    )
    assert net.ops == {"MatMul": 1, "BatchNormalization": 1}
    assert net.difference() == 0
