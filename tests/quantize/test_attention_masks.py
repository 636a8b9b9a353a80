from __future__ import annotations

import numpy as np
import pytest

MASKED = ["causal_attention", "mildly_masked_attention", "filled_attention", "padded_attention"]


def sqnr_db(expected: np.ndarray, actual: np.ndarray) -> float:
    return float(10 * np.log10((expected**2).sum() / ((expected - actual) ** 2).sum()))


@pytest.fixture
def image() -> np.ndarray:
    """Whether a row is padding (its first number is 1 or more) is clear, so that rounding does not decide it.

    Smaller than what ranges were learnt from, so that these do not clip it.
    """
    image = np.random.default_rng(11).normal(0, 0.7, (5, 16, 16, 3)).astype(np.float32)
    image[:, :12, 0, 0], image[:, 12:, 0, 0] = 0.0, 2.0
    return image


@pytest.mark.parametrize("model", MASKED)
def test_a_masked_attention_in_int8_is_near_the_float_one(model, int8, float_models, infer, image):
    """Minus infinity over its own range is a scale of 1e36, on which LiteRT aborts; -10000 leaves every score at 0."""
    path, result = int8(model)
    assert any("minus infinity is stored as" in note for note in result.notes)
    stored = infer(path, {"image": result.signature.input("image").from_torch(image)})["mixed"]
    expected = infer(float_models / f"{model}.tflite", {"image": image})["mixed"]
    assert sqnr_db(expected, result.signature.output("mixed").to_torch(stored)) > 25


@pytest.mark.parametrize("model", MASKED[:3])
def test_what_a_mask_hides_stays_hidden(model, int8, infer, image):
    path, result = int8(model)
    changed = image.copy()
    changed[:, 8:] += 1.0  # rows 8 and on: those before must not see it
    stored = [infer(path, {"image": result.signature.input("image").from_torch(each)}) for each in (image, changed)]
    np.testing.assert_array_equal(stored[0]["mixed"][:, :8], stored[1]["mixed"][:, :8])


def test_what_a_mask_of_the_input_hides_stays_hidden(int8, infer, image):
    """The last four rows are padding, and what else is in them must not matter to the others."""
    path, result = int8("padded_attention")
    changed = image.copy()
    changed[:, 12:, 1:] += 1.0
    stored = [infer(path, {"image": result.signature.input("image").from_torch(each)}) for each in (image, changed)]
    np.testing.assert_array_equal(stored[0]["mixed"][:, :12], stored[1]["mixed"][:, :12])
