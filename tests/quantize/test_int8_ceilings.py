"""The ceilings of the int8 table: an int8 file's two losses, each alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from verify.metrics import error_sums
from verify.runners.tflite_inspect import op_counts

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SAMPLES = 24


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.parametrize("model", ["plain", "mixed"])
def test_the_two_losses_alone_come_to_the_loss_of_the_file(model, float_models, int8, infer, tmp_path):
    from int8_ceilings import with_int8_activations, with_int8_weights

    source, (quantized, made) = float_models / f"{model}.tflite", int8(model)
    weights, activations = tmp_path / "weights.tflite", tmp_path / "activations.tflite"
    assert with_int8_weights(source, quantized, weights).covered > 0
    covered = with_int8_activations(source, quantized, activations).covered
    assert dict(op_counts(activations))["QUANTIZE"] == covered > 0
    with np.load(float_models / "image.npz") as archive:
        images = archive["image"]
    expected = infer(source, {"image": images})
    signature = made.signature
    stored = {spec.name: spec.from_torch(images) for spec in signature.inputs}
    found = {spec.name: spec.to_torch(infer(quantized, stored)[spec.name]) for spec in signature.outputs}
    for name, wanted in expected.items():
        both = error_sums(wanted, found[name]).error_energy
        apart = [
            error_sums(wanted, infer(path, {"image": images})[name]).error_energy for path in (weights, activations)
        ]
        assert 0 < apart[0] < both
        assert 0 < apart[1] < both
        assert both / 2 < sum(apart) < both * 2
