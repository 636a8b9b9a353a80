"""Layers as matrices: the same numbers as LiteRT's kernels give, so that what is fitted is what is computed."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.correction.layers import Stored, as_columns, from_columns, some_rows
from quantize.correction.stepped_model import SteppedModel
from verify.stepping.contents import constant


def layers_of(path, samples):
    """Each layer of a float file with what enters and leaves it: op, weights, bias, inputs, outputs."""
    seen = {}
    run = SteppedModel(path, samples, seen.setdefault)
    found = run.layers()
    assert found
    for number, op in sorted(found.values(), key=lambda each: each[0]):
        run.stepper.run_until(number)
        entering = list(run.stepper.values(op.input))
        run.stepper.run_until(number + 1)
        weights = constant(run.model, run.graph, op.weights)
        bias = constant(run.model, run.graph, op.bias) if op.bias >= 0 else 0
        yield op, weights, bias, entering, seen[op.output]


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(2)
    return [{"image": random.normal(size=(1, 16, 16, 3)).astype(np.float32)} for _ in range(3)]


@pytest.mark.parametrize("model", ["mixed", "strided"])
def test_rows_times_columns_are_what_the_layer_gives(model, float_models, samples):
    for op, weights, bias, entering, leaving in layers_of(float_models / f"{model}.tflite", samples):
        rows = some_rows(op, weights.shape, entering, Stored(), 10**6)
        products = rows @ as_columns(op, weights)
        found = products.transpose(1, 0, 2).reshape(products.shape[1], -1) + bias
        expected = np.concatenate([each.reshape(-1, each.shape[-1]) for each in leaving])
        if op.operator.builtinOptions.fusedActivationFunction:
            found = np.maximum(found, 0)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_columns_lead_back_to_the_weights(float_models, samples):
    for op, weights, *_ in layers_of(float_models / "strided.tflite", samples):
        assert (from_columns(op, as_columns(op, weights), weights.shape) == weights).all()


def test_stored_padding_is_a_real_zero(float_models, samples):
    stored = Stored(scale=0.5, zero_point=-7)
    for op, weights, _, entering, _ in layers_of(float_models / "strided.tflite", samples):
        levels = [np.rint(each / 0.5 - 7).astype(np.int8) for each in entering]
        real = [stored.real(each) for each in levels]
        np.testing.assert_allclose(
            some_rows(op, weights.shape, levels, stored, 50), some_rows(op, weights.shape, real, Stored(), 50)
        )
