from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from quantize.calibration.never_negative import never_negative
from quantize.calibration.observe import observe
from quantize.calibration.shown import write_shown
from quantize.rules import observed_tensors, static_rules
from verify.runners.tflite_file import open_model, tensor_map, tflite_signature


def reference(model: Path, image: np.ndarray, tensors) -> list[np.ndarray]:
    """What tensors hold by LiteRT's own kernels, without a delegate."""
    interpreter = Interpreter(
        model_path=str(model),
        experimental_op_resolver_type=OpResolverType.BUILTIN,
        experimental_preserve_all_tensors=True,
    )
    interpreter.get_signature_runner("serving_default")(image=image)
    return [interpreter.get_tensor(at) for _, at in tensors]


@pytest.mark.filterwarnings("ignore:Warning. Enabling:UserWarning")
@pytest.mark.parametrize("name", ["mixed", "leaky", "causal_attention", "unread_part"])
def test_the_cpu_delegate_shows_what_the_reference_kernels_hold(name, float_models):
    model = float_models / f"{name}.tflite"
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 3)).astype(np.float32)
    tensors = observed_tensors(model, static_rules(model))
    with open_model(model) as opened:
        names = tensor_map(opened)
    (seen,) = observe(model, names, tensors, [{"image": image}])
    for index, expected in enumerate(reference(model, image, tensors)):
        values = expected[np.abs(expected) < 3e38]
        low = min(values.min(), 0) if tensors[index][1] in never_negative(model) else values.min()
        assert seen.extremes.low[index] == pytest.approx(low, rel=1e-4, abs=1e-5)
        assert seen.extremes.high[index] == pytest.approx(values.max(), rel=1e-4, abs=1e-5)
        np.testing.assert_allclose(seen.parts[index], values.reshape(-1), rtol=1e-3, atol=1e-4)


def test_samples_that_run_side_by_side_are_told_of_in_their_order(float_models):
    model = float_models / "mixed.tflite"
    images = np.random.default_rng(3).normal(size=(9, 1, 16, 16, 3)).astype(np.float32)
    with open_model(model) as opened:
        names = tensor_map(opened)
    runner = Interpreter(model_path=str(model)).get_signature_runner("serving_default")
    seen = list(observe(model, names, [], [{"image": image} for image in images]))
    assert len(seen) == 9
    for image, each in zip(images, seen, strict=True):
        np.testing.assert_array_equal(each.inputs["image"], image)
        np.testing.assert_allclose(each.outputs["logits"], runner(image=image)["logits"], rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Warning. Enabling:UserWarning")
@pytest.mark.parametrize("name", ["mixed", "plain", "causal_attention"])
def test_what_is_taken_to_be_never_negative_is_not(name, float_models):
    model = float_models / f"{name}.tflite"
    image = np.random.default_rng(1).normal(size=(1, 16, 16, 3)).astype(np.float32)
    tensors = [(str(at), at) for at in never_negative(model)]
    assert tensors
    assert all(values.min() >= 0 for values in reference(model, image, tensors))


def test_a_file_that_shows_more_still_gives_what_it_gave(float_models, tmp_path):
    model = float_models / "mixed.tflite"
    tensors = observed_tensors(model, static_rules(model))
    write_shown(model, tmp_path / "shown.tflite", 0, [at for _, at in tensors])
    assert tflite_signature(tmp_path / "shown.tflite", {}) == tflite_signature(model, {})
    image = np.random.default_rng(2).normal(size=(5, 16, 16, 3)).astype(np.float32)
    runners = [
        Interpreter(model_path=str(path)).get_signature_runner("serving_default")
        for path in (model, tmp_path / "shown.tflite")
    ]
    np.testing.assert_allclose(*(runner(image=image)["logits"] for runner in runners), rtol=1e-5, atol=1e-6)
