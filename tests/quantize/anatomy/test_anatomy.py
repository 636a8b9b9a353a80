"""What is found inside int8 files that LiteRT runs."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ruined import ruin

from quantize.anatomy.describe import describe
from quantize.correction.patches import prepared
from quantize.recipe import IoType
from verify.metrics import sqnr_db
from verify.report.anatomy import INPUT
from verify.runners.tflite_file import tflite_signature

RANDOM = np.random.default_rng(5)


def outputs(path, samples):
    """Of the only output, real values, with LiteRT's own kernels as the stepper runs them."""
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN)
    run, signature = interpreter.get_signature_runner(), tflite_signature(path, {})
    (taken,), (given,) = signature.inputs, signature.outputs
    return np.concatenate([given.to_torch(run(image=taken.from_torch(each["image"]))[given.name]) for each in samples])


@pytest.mark.parametrize("io", [IoType.INT8, IoType.UINT8, IoType.FLOAT32])
def test_the_last_layer_comes_to_the_files_own_sqnr(io, float_models, int8):
    path, result = int8("mixed", io)
    samples = [{"image": RANDOM.normal(size=(1, 16, 16, 3)).astype(np.float32)} for _ in range(3)]
    source = float_models / "mixed.tflite"
    with prepared(source, result.recipe.corrections) as same:
        found = describe(same, path, samples, modules={}, why_float={})
    whole = sqnr_db(outputs(source, samples), outputs(path, samples))
    assert found.output_db == pytest.approx(whole, abs=0.01)
    assert [layer.sqnr_db for layer in found.layers if layer.sqnr_db is not None][-1] == pytest.approx(whole, abs=0.01)
    assert found.samples == 3
    assert not found.note


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_layer_with_ruined_scales_is_the_worst_by_itself(which, anatomy, int8, tmp_path):
    path, _ = int8("mixed")
    ruined = ruin(path, tmp_path / "ruined.tflite", which)
    before, after = anatomy("mixed"), anatomy("mixed", tmp_path / "ruined.tflite")
    worst = min(
        (layer for layer in after.layers if layer.local_sqnr_db is not None), key=lambda each: each.local_sqnr_db
    )
    assert worst.name == ruined
    assert after.layers[after.findings[0].layer].name == ruined
    own = next(layer for layer in before.layers if layer.name == ruined)
    assert worst.local_sqnr_db < 5 < own.local_sqnr_db - 15


def test_layers_stand_in_order_from_the_input_to_the_output_with_what_they_weigh(anatomy, int8):
    path, _ = int8("mixed")
    found = anatomy("mixed")
    assert found.layers[0].op == INPUT
    assert found.layers[-1].op == "FULLY_CONNECTED"
    assert found.layers[0].label == "image"
    assert found.layers[-1].weights.channels == 10
    assert found.layers[-1].size_bytes == 10 * 16 + 10 * 4, "16 channels in, 10 out, and a bias"
    assert sum(layer.size_bytes for layer in found.layers) < found.file_bytes == path.stat().st_size


def test_an_op_left_in_float_says_why_and_loses_nothing_by_itself(anatomy):
    found = anatomy("leaky")
    (left,) = [layer for layer in found.layers if layer.why_float]
    assert (left.op, left.precision) == ("ATAN2", "float")
    assert left.why_float.startswith("LiteRT has no int8 kernel for it")
    assert left.local_sqnr_db > left.sqnr_db > 10
    assert left.activation is None


def test_padding_of_minus_infinity_counts_for_nothing(anatomy):
    pool = next(layer for layer in anatomy("mixed").layers if layer.op == "MAX_POOL_2D")
    padding = next(layer for layer in anatomy("mixed").layers if layer.op in {"PADV2", "PAD"})
    assert padding.activation.seen_low > -100
    assert 25 < pool.sqnr_db < 60
    assert 25 < padding.sqnr_db < 60


def test_it_is_the_same_twice(anatomy):
    assert anatomy("mixed") == anatomy("mixed")
