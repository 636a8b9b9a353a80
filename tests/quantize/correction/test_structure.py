"""Ops in the place of others: the float model gives what it gave, and the int8 file comes closer to it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from quantize.correction.apply import before_calibration
from quantize.correction.decisions import Corrections
from quantize.correction.names import Correction
from quantize.correction.patches import prepared
from quantize.correction.structure import structure_for
from quantize.jobs import make_int8, remake_int8
from quantize.operators import operators
from quantize.recipe import IoType, write_recipe
from quantize.scheme import Scheme
from verify.metrics import error_sums
from verify.runners.tflite_file import tflite_signature

IMAGES = np.random.default_rng(9).normal(size=(32, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def make(float_models, worker, tmp_path_factory):
    """``make("layer_norms", "norm")`` → the int8 file and its result."""
    folder = tmp_path_factory.mktemp("structure")

    def run(model: str, corrections: str, scheme: Scheme = Scheme()):  # noqa: B008  # frozen
        source, out = float_models / f"{model}.tflite", folder / f"{model}_{corrections}.tflite"
        given = {"calibration": float_models / "image.npz", "signature": tflite_signature(source, {})}
        arguments = given | {"corrections": corrections, "scheme": scheme, "io": IoType.FLOAT32, "max_samples": 24}
        return out, worker.run(make_int8, model=source, out=out, **arguments).value

    return run


def counts(model) -> Counter[str]:
    return Counter(each.op for each in operators(model))


def sqnr_db(infer, one, other) -> float:
    (expected,), (actual,) = (infer(each, {"image": IMAGES}).values() for each in (one, other))
    decibels = error_sums(expected, actual).sqnr_db
    return 200.0 if decibels is None else decibels


@pytest.mark.parametrize(
    ("model", "correction", "op", "places"),
    [
        ("layer_norms", Correction.NORM, "L2_NORMALIZATION", 3),
        ("normalised", Correction.NORM, "L2_NORMALIZATION", 1),
        ("norm_after_join", Correction.AFFINE, "DEPTHWISE_CONV_2D", 1),
    ],
)
def test_the_float_model_gives_what_it_gave(model, correction, op, places, float_models, infer):
    path = float_models / f"{model}.tflite"
    with prepared(path, before_calibration(path, [], {correction})) as changed:
        assert counts(changed)[op] == counts(path)[op] + places
        assert sqnr_db(infer, path, changed) > 90


def test_normalisations_of_quiet_rows_gain(make, infer, float_models):
    source = float_models / "layer_norms.tflite"
    (plain, _), (normed, result) = make("layer_norms", "none"), make("layer_norms", "norm")
    assert result.recipe.corrections.structure == ("norm",)
    assert "float model (norm): +" in result.notes[-1]
    assert sqnr_db(infer, source, normed) > sqnr_db(infer, source, plain) + 3


def test_a_batch_norm_is_rounded_once(make, infer, float_models):
    source = float_models / "norm_after_join.tflite"
    plain, folded = make("norm_after_join", "none")[0], make("norm_after_join", "affine")[0]
    assert sqnr_db(infer, source, folded) > sqnr_db(infer, source, plain)


def test_the_recipe_makes_the_file_again(make, float_models, worker, tmp_path):
    path, result = make("layer_norms", "auto")
    write_recipe(tmp_path / "recipe.json", result.recipe)
    again = {"out": tmp_path / "again.tflite", "recipe": tmp_path / "recipe.json"}
    worker.run(remake_int8, model=float_models / "layer_norms.tflite", **again)
    assert (tmp_path / "again.tflite").read_bytes() == path.read_bytes()


def test_ops_that_are_kept_in_float_stay(make, float_models):
    source = float_models / "layer_norms.tflite"
    kept = [each.name for each in operators(source) if each.op == "RSQRT"][:1]
    assert structure_for(source, {Correction.NORM}, kept) == ()
    path, result = make("layer_norms", "norm", Scheme(keep_float=("RSQRT",)))
    assert result.recipe.corrections.structure == ()
    assert counts(path)["L2_NORMALIZATION"] == 0


def test_16x8_files_have_no_l2_normalization(make):
    from quantize.recipe import Precision

    assert make("layer_norms", "norm", Scheme(Precision.INT16))[1].recipe.corrections.structure == ()


def test_models_without_such_ops_stay_as_they_are(float_models):
    path = float_models / "uneven.tflite"
    assert structure_for(path, set(Correction)) == ()
    with prepared(path, Corrections()) as same:
        assert same == path
