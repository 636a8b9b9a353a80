from __future__ import annotations

import numpy as np
import pytest

RANDOM = np.random.default_rng(11)
LEAST_DB = {"causal_attention": 25, "mildly_masked_attention": 25, "filled_attention": 25, "padded_attention": 20}
"""Sums over more rows are smaller beside the scale of their result. A mask stored as it is leaves less than 5."""
MASKED = list(LEAST_DB)


def sqnr_db(expected: np.ndarray, actual: np.ndarray) -> float:
    return float(10 * np.log10((expected**2).sum() / ((expected - actual) ** 2).sum()))


@pytest.fixture
def image() -> np.ndarray:
    """Whether a row is padding (its first number is 1 or more) is clear, so that rounding does not decide it."""
    image = RANDOM.normal(size=(5, 16, 16, 3)).astype(np.float32)
    image[:, :12, 0, 0], image[:, 12:, 0, 0] = 0.0, 2.0
    return image


@pytest.mark.parametrize("model", MASKED)
def test_a_masked_attention_in_int8_is_near_the_float_one(model, int8, float_models, infer, image):
    """Minus infinity over its own range is a scale of 1e36, on which LiteRT aborts; -10000 leaves every score at 0."""
    path, result = int8(model)
    assert any("minus infinity is stored as" in note for note in result.notes)
    stored = infer(path, {"image": result.signature.input("image").from_torch(image)})["mixed"]
    expected = infer(float_models / f"{model}.tflite", {"image": image})["mixed"]
    assert sqnr_db(expected, result.signature.output("mixed").to_torch(stored)) > LEAST_DB[model]


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
