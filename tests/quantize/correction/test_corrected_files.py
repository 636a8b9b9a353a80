"""int8 files with corrected weights and biases: closer to the float model, remade by their recipe, never worse."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.correction import apply
from quantize.correction.decisions import MovedBias
from quantize.correction.layerwise import Refined
from quantize.correction.names import NAMES, Correction, parse_corrections
from quantize.correction.patches import packed
from quantize.jobs import make_int8, remake_int8
from quantize.recipe import IoType, Precision, write_recipe
from quantize.scheme import Scheme
from verify.errors import InputError
from verify.metrics import error_sums
from verify.runners.tflite_file import tflite_signature

ALL = ",".join(NAMES)


@pytest.fixture(scope="module")
def make(float_models, worker, tmp_path_factory):
    """``make("correlated", "gptq,bias")`` → the int8 file, made once, and its result."""
    folder, made = tmp_path_factory.mktemp("corrected"), {}

    def run(model: str, corrections: str, again: str = "", scheme: Scheme = Scheme()):  # noqa: B008  # frozen
        key = f"{model}_{corrections}{again}_{scheme.weight_bits}_{scheme.activations}"
        if key not in made:
            source, out = float_models / f"{model}.tflite", folder / f"{key}.tflite"
            arguments = {"calibration": float_models / "image.npz", "signature": tflite_signature(source, {})}
            job = worker.run(
                make_int8,
                model=source,
                out=out,
                io=IoType.FLOAT32,
                max_samples=128,
                corrections=corrections,
                scheme=scheme,
                **arguments,
            )
            made[key] = out, job.value
        return made[key]

    return run


def sqnr_db(infer, float_model, int8, name: str) -> float:
    """On samples that calibrated nothing."""
    image = np.random.default_rng(9).normal(size=(64, 16, 16, 3)).astype(np.float32)
    expected, actual = infer(float_model, {"image": image})[name], infer(int8, {"image": image})[name]
    decibels = error_sums(expected, actual).sqnr_db
    assert decibels is not None
    return decibels


@pytest.mark.parametrize("corrections", ["gptq,bias", ALL])
def test_a_corrected_file_holds_its_weights_once(corrections, make):
    plain, corrected = make("correlated", "none")[0], make("correlated", corrections)[0]
    assert corrected.stat().st_size < 1.1 * plain.stat().st_size


@pytest.mark.parametrize("correction", ["gptq", "gptq,bias"])
def test_weights_rounded_to_what_enters_gain(correction, make, infer, float_models):
    plain, corrected = make("correlated", "none")[0], make("correlated", correction)[0]
    source = float_models / "correlated.tflite"
    assert sqnr_db(infer, source, corrected, "logits") > sqnr_db(infer, source, plain, "logits") + 1


@pytest.mark.parametrize("scheme", [Scheme(Precision.INT16), Scheme(weight_bits=4), Scheme(Precision.INT16, 4)])
def test_corrections_gain_on_16x8_and_on_int4_weights_too(scheme, make, infer, float_models, worker, tmp_path):
    plain, (corrected, result) = make("correlated", "none", "", scheme)[0], make("correlated", "auto", "", scheme)
    source = float_models / "correlated.tflite"
    assert sqnr_db(infer, source, corrected, "logits") > sqnr_db(infer, source, plain, "logits") + 1
    recipe = tmp_path / "corrected.recipe.json"
    write_recipe(recipe, result.recipe)
    worker.run(remake_int8, model=source, out=tmp_path / "again.tflite", recipe=recipe)
    assert (tmp_path / "again.tflite").read_bytes() == corrected.read_bytes()


@pytest.mark.parametrize("model", ["correlated", "uneven", "mixed"])
def test_a_recipe_makes_a_corrected_file_again_without_samples(model, make, float_models, worker, tmp_path):
    path, result = make(model, ALL)
    recipe = tmp_path / "corrected.recipe.json"
    write_recipe(recipe, result.recipe)
    worker.run(remake_int8, model=float_models / f"{model}.tflite", out=tmp_path / "again.tflite", recipe=recipe)
    assert (tmp_path / "again.tflite").read_bytes() == path.read_bytes()


def test_corrections_are_deterministic(make):
    assert make("correlated", ALL)[0].read_bytes() == make("correlated", ALL, again="_again")[0].read_bytes()


def test_a_recipe_says_which_corrections_it_has(make):
    assert make("correlated", "none")[1].recipe.corrections.names == ()
    corrections = make("correlated", "gptq,bias")[1].recipe.corrections
    assert corrections.names == ("gptq", "bias")
    assert (len(corrections.scaled), len(corrections.rounded), len(corrections.biases)) == (0, 4, 4)


def test_corrections_that_lose_are_left_out(make, float_models, monkeypatch, tmp_path):
    path, result = make("correlated", "none")
    bias = make("correlated", "bias")[1].recipe.corrections.biases[0]
    ruinous = MovedBias(bias.tensor, packed(np.full(4, 9, np.float32)))
    monkeypatch.setattr(apply, "refine", lambda *_: Refined((), (ruinous,)))
    out = tmp_path / "out.tflite"
    out.write_bytes(path.read_bytes())
    source = float_models / "correlated.tflite"
    probes = _probes(source)
    samples = [probe.inputs for probe in probes]
    kept = apply.after_rounding(source, out, result, {Correction.BIAS}, samples=samples, probes=probes)
    assert out.read_bytes() == path.read_bytes()
    assert kept.recipe == result.recipe
    assert "so they were left out" in kept.notes[-1]


def _probes(model):
    from quantize.calibration.observe import observe
    from verify.runners.tflite_file import open_model, tensor_map

    random = np.random.default_rng(4)
    with open_model(model) as opened:
        names = tensor_map(opened)
    images = ({"image": random.normal(size=(1, 16, 16, 3)).astype(np.float32)} for _ in range(8))
    return tuple(observe(model, names, [], images))


def test_names_are_read_in_any_order_and_unknown_ones_refused():
    assert parse_corrections("bias, equalize") == (Correction.EQUALIZE, Correction.BIAS)
    assert parse_corrections("none") == ()
    with pytest.raises(InputError, match="there is no correction 'magic'"):
        parse_corrections("gptq,magic")
