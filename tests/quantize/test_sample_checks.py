from __future__ import annotations

import numpy as np
import pytest

from quantize.calibration.sample_checks import SampleChecks


def notes_on(images: list[np.ndarray], outputs: list[float] | None = None) -> tuple[str, ...]:
    checks = SampleChecks()
    given = outputs or list(range(len(images)))
    for image, output in zip(images, given, strict=True):
        checks.add({"image": image}, {"logits": np.float32([output])}, image.tobytes()[:64])
    return checks.notes()


def pictures(count: int = 20) -> list[np.ndarray]:
    return list(np.random.default_rng(0).normal(size=(count, 1, 8, 8, 3)).astype(np.float32))


def test_nothing_is_said_of_good_samples():
    assert notes_on(pictures()) == ()


def test_pixels_before_scaling_are_named():
    pixels = [np.clip(100 + 40 * each, 0, 255) for each in pictures()]
    (note,) = notes_on(pixels)
    assert "as pixels before scaling do" in note
    assert notes_on([each / 255 for each in pixels]) == ()


def test_constant_samples_are_counted():
    (note,) = notes_on([*pictures(), np.zeros((1, 8, 8, 3), np.float32)])
    assert note == "input 'image' is one and the same number throughout in 1 of 21 samples"


def test_repeated_samples_are_counted():
    images = pictures()
    (note,) = notes_on([*images, images[3], images[3]])
    assert note.startswith("2 of 22 calibration samples are repeated")


def test_few_samples_are_named():
    (note,) = notes_on(pictures(5))
    assert note.startswith("5 calibration samples are few")


def test_a_model_that_gives_the_same_for_all_is_named():
    (note,) = notes_on(pictures(), [1.0] * 20)
    assert "gives the same output for every calibration sample" in note


@pytest.mark.parametrize("seed", range(3))
def test_what_is_said_does_not_depend_on_order(seed):
    images = [*pictures(9), np.zeros((1, 8, 8, 3), np.float32), pictures(3)[1]]
    order = np.random.default_rng(seed).permutation(len(images))
    assert notes_on(images) == notes_on([images[at] for at in order], [float(at) for at in order])
