from __future__ import annotations

import numpy as np
import pytest

from quantize.recipe import IoType


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(5, 16, 16, 3)).astype(np.float32)


@pytest.mark.parametrize("model", ["mixed", "sine_edges"])
def test_uint8_is_int8_plus_128_exactly(model, int8, infer, image):
    signed, unsigned = int8(model)[1].signature, int8(model, IoType.UINT8)[1].signature
    name = signed.outputs[0].name
    for role in ("inputs", "outputs"):
        (low,), (high,) = getattr(signed, role), getattr(unsigned, role)
        assert high.quantization.scale == low.quantization.scale
        assert high.quantization.zero_point == low.quantization.zero_point + 128
    stored = signed.input("image").from_torch(image)
    from_signed = infer(int8(model)[0], {"image": stored})[name]
    shifted = (stored.astype(np.int16) + 128).astype(np.uint8)
    from_unsigned = infer(int8(model, IoType.UINT8)[0], {"image": shifted})[name]
    np.testing.assert_array_equal(from_unsigned.astype(np.int16), from_signed.astype(np.int16) + 128)


def test_float32_edges_give_the_int8_file_dequantized(int8, infer, image):
    signature = int8("mixed")[1].signature
    stored = infer(int8("mixed")[0], {"image": signature.input("image").from_torch(image)})["logits"]
    real = infer(int8("mixed", IoType.FLOAT32)[0], {"image": image})["logits"]
    assert real.dtype == np.float32
    np.testing.assert_array_equal(real, signature.output("logits").to_torch(stored))


def test_float32_edges_do_not_quantize_what_float_ops_take_and_give(int8, infer, image, float_models):
    """The first and last op have no int8 rule, so their float inputs and outputs should not be rounded."""
    path, result = int8("sine_edges", IoType.FLOAT32)
    real = infer(path, {"image": image})["activation"]
    step = int8("sine_edges")[1].signature.output("activation").quantization.scale
    assert result.float_ops[0].count == 2
    assert len(np.unique(np.round(real / step, 3) % 1)) > 50
