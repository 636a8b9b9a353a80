from __future__ import annotations

import numpy as np
import pytest

from convert.stages.base import run_stage, stage_from_json
from convert.stages.quantize import ToDynamicInt8, ToFloat16, ToInt8
from quantize.calibration.method_names import RangeMethod, RangesOption
from quantize.recipe import IoOption, read_recipe
from verify.artifact import Artifact, Format, sha256_of
from verify.batches import batch_name, write_batch
from verify.errors import InputError, SamplesInvalid
from verify.runners.tflite_file import tflite_signature


@pytest.fixture
def run(float_models, worker, tmp_path):
    """``run(stage, "mixed")`` → the stage's result, its input declared channels-last of a PyTorch NCHW original."""

    def run(stage, model: str = "mixed"):
        path = float_models / f"{model}.tflite"
        signature = tflite_signature(path, {"image": (0, 2, 3, 1)})
        artifact = Artifact(path, Format.TFLITE, signature, sha256_of(path))
        return worker.run(
            run_stage, stage=stage.to_json(), artifact=artifact, out=tmp_path / f"net{stage.suffix}"
        ).value

    return run


@pytest.fixture
def photos(tmp_path):
    """Calibration batches as the pipeline writes them: PyTorch layout, one sample each."""
    random = np.random.default_rng(2)
    for index in range(12):
        image = random.normal(size=(1, 3, 16, 16)).astype(np.float32)
        write_batch(tmp_path / "calibration" / batch_name(index), {"image": image})
    return tmp_path / "calibration"


@pytest.mark.parametrize("stage", [ToFloat16(), ToDynamicInt8()])
def test_weight_only_stages_keep_the_declared_layout(stage, run, tmp_path):
    made = run(stage).artifact
    assert made.path == tmp_path / f"net{stage.suffix}"
    assert made.sha256 == sha256_of(made.path)
    assert made.signature.input("image").permutation == (0, 2, 3, 1)
    assert made.signature.input("image").dtype == "float32"


def test_int8_is_calibrated_from_pytorch_layout_and_leaves_its_recipe(run, photos, tmp_path):
    result = run(ToInt8(calibration=photos, int8_io=IoOption.UINT8, max_samples=8))
    image = result.artifact.signature.input("image")
    assert (image.dtype, image.permutation, image.shape) == ("uint8", (0, 2, 3, 1), ("N", 16, 16, 3))
    assert image.quantization is not None
    recipe = read_recipe(tmp_path / "net.recipe.json")
    assert recipe.calibration.sample_count == 8
    assert result.notes[0] == "calibrated on 8 samples"


def test_ranges_are_chosen_as_the_stage_was_told(run, photos, tmp_path):
    run(ToInt8(calibration=photos, ranges=RangesOption.MINMAX))
    assert read_recipe(tmp_path / "net.recipe.json").calibration.method is RangeMethod.MINMAX


def test_ops_left_in_float_are_refusals_with_reasons(run, photos):
    refusals = {each.subject: each for each in run(ToInt8(calibration=photos), "leaky").refusals}
    assert refusals["ATAN2"].stage == "int8"
    assert "LiteRT has no int8 kernel for it" in refusals["ATAN2"].reason


def test_without_samples_int8_says_how_to_get_it(run):
    with pytest.raises(SamplesInvalid, match=r"give some with --calib, or use the dynamic int8 file"):
        run(ToInt8())


@pytest.mark.parametrize("options", [{"corrections": "gptq,byas"}, {"int8_io": "int16"}])
def test_options_that_mean_nothing_are_refused_at_once(options):
    with pytest.raises(InputError):
        ToInt8(**options)


@pytest.mark.parametrize(
    "stage", [ToFloat16(), ToDynamicInt8(), ToInt8(int8_io=IoOption.FLOAT32, max_samples=3, ranges=RangesOption.MSE)]
)
def test_stages_survive_json(stage):
    assert stage_from_json(stage.to_json()) == stage
