from __future__ import annotations

import json
from dataclasses import replace

import pytest

from quantize.jobs import remake_int8
from quantize.recipe import IoType, PerChannel, PerTensor, read_recipe, recipe_path_beside, write_recipe
from verify.artifact import sha256_of
from verify.errors import InputError


@pytest.mark.parametrize("io", [IoType.INT8, IoType.UINT8, IoType.FLOAT32])
def test_a_recipe_makes_the_same_bytes_again_without_samples(io, int8, float_models, worker, tmp_path):
    path, result = int8("mixed", io)
    write_recipe(tmp_path / "mixed.recipe.json", result.recipe)
    again = tmp_path / "again.tflite"
    worker.run(remake_int8, model=float_models / "mixed.tflite", out=again, recipe=tmp_path / "mixed.recipe.json")
    assert again.read_bytes() == path.read_bytes()


def test_a_recipe_survives_json(int8, tmp_path):
    recipe = int8("mixed")[1].recipe
    write_recipe(tmp_path / "x.recipe.json", recipe)
    assert read_recipe(tmp_path / "x.recipe.json") == recipe


def test_a_recipe_says_how_the_file_was_made(int8, float_models):
    recipe = int8("mixed")[1].recipe
    rules = {rule.op: rule for rule in recipe.ops}
    assert recipe.input_sha256 == sha256_of(float_models / "mixed.tflite")
    assert (recipe.engine, recipe.io, recipe.calibration.sample_count) == ("ai-edge-quantizer", IoType.INT8, 24)
    assert rules["CONV_2D"].weights.granularity == PerChannel(0)
    assert rules["DEPTHWISE_CONV_2D"].weights.granularity == PerChannel(3)
    assert rules["CONV_2D"].activations.granularity == PerTensor()
    assert rules["HARD_SWISH"].weights is None
    assert len(recipe.calibration.data_sha256) == 64


def test_another_models_recipe_is_refused(int8, float_models, worker, tmp_path):
    write_recipe(tmp_path / "mixed.recipe.json", int8("mixed")[1].recipe)
    with pytest.raises(InputError, match="made for another float file"):
        worker.run(
            remake_int8,
            model=float_models / "leaky.tflite",
            out=tmp_path / "x.tflite",
            recipe=tmp_path / "mixed.recipe.json",
        )


def test_another_engines_recipe_is_refused(int8, float_models, worker, tmp_path):
    write_recipe(tmp_path / "old.recipe.json", replace(int8("mixed")[1].recipe, engine_version="0.3.0"))
    with pytest.raises(InputError, match=r"install ai-edge-quantizer==0\.3\.0, or calibrate anew"):
        worker.run(
            remake_int8,
            model=float_models / "mixed.tflite",
            out=tmp_path / "x.tflite",
            recipe=tmp_path / "old.recipe.json",
        )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": "9"}'])
def test_anything_else_is_no_recipe(text, tmp_path):
    (tmp_path / "x.recipe.json").write_text(text)
    with pytest.raises(InputError, match="is not a quantization recipe"):
        read_recipe(tmp_path / "x.recipe.json")


def test_a_recipe_of_a_later_schema_is_refused(int8, tmp_path):
    write_recipe(tmp_path / "x.recipe.json", int8("mixed")[1].recipe)
    data = json.loads((tmp_path / "x.recipe.json").read_text())
    (tmp_path / "x.recipe.json").write_text(json.dumps(data | {"schema_version": "9"}))
    with pytest.raises(InputError, match="recipe of schema 9; this version reads 3"):
        read_recipe(tmp_path / "x.recipe.json")


def test_the_recipe_stands_beside_the_file(tmp_path):
    assert recipe_path_beside(tmp_path / "resnet18_int8.tflite") == tmp_path / "resnet18.recipe.json"
    assert recipe_path_beside(tmp_path / "net.tflite") == tmp_path / "net.recipe.json"
