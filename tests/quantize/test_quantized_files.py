from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from quantize.calibration.method_names import RangesOption
from quantize.jobs import make_dynamic_int8, make_float16, make_int8, remake_int8
from quantize.recipe import IoType, write_recipe
from verify.errors import QuantizationFailed, SamplesInvalid, WorkerDied
from verify.runners.tflite_file import tflite_signature
from verify.worker import Worker

RANDOM = np.random.default_rng(7)


def images(count: int) -> np.ndarray:
    return RANDOM.normal(size=(count, 16, 16, 3)).astype(np.float32)


def sqnr_db(expected: np.ndarray, actual: np.ndarray) -> float:
    return float(10 * np.log10((expected**2).sum() / ((expected - actual) ** 2).sum()))


@pytest.mark.parametrize("make", [make_float16, make_dynamic_int8])
def test_weight_only_files_keep_names_and_the_dynamic_batch(make, float_models, worker, tmp_path):
    source = float_models / "mixed.tflite"
    result = worker.run(make, model=source, out=tmp_path / "small.tflite").value
    assert result.signature == tflite_signature(source, {})
    assert result.float_ops == ()


@pytest.mark.parametrize(("make", "least_db"), [(make_float16, 60), (make_dynamic_int8, 30)])
def test_weight_only_files_say_what_the_float_file_says(make, least_db, float_models, infer, tmp_path, request):
    source = float_models / "mixed.tflite"
    request.getfixturevalue("worker").run(make, model=source, out=tmp_path / "small.tflite")
    image = images(5)
    expected = infer(source, {"image": image})["logits"]
    assert sqnr_db(expected, infer(tmp_path / "small.tflite", {"image": image})["logits"]) > least_db


def test_the_cpu_delegate_takes_all_of_float16_that_it_takes_of_float32(float_models, worker, tmp_path):
    source = float_models / "mixed.tflite"
    worker.run(make_float16, model=source, out=tmp_path / "small.tflite")
    assert delegated_parts(tmp_path / "small.tflite") == delegated_parts(source) > 0


def delegated_parts(path: Path) -> int:
    """Into how many parts XNNPACK's share of the graph falls; each op that it refuses splits one."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    return sum(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())


def test_float16_refuses_a_weight_that_it_cannot_hold(float_models, worker, tmp_path):
    with pytest.raises(QuantizationFailed, match="beyond 65504, which float16 cannot hold"):
        worker.run(make_float16, model=float_models / "overflowing.tflite", out=tmp_path / "small.tflite")


@pytest.mark.parametrize("io", [IoType.INT8, IoType.UINT8, IoType.FLOAT32])
@pytest.mark.parametrize("model", ["mixed", "leaky", "sine_edges"])
def test_int8_runs_at_batch_1_2_and_5_and_keeps_names_and_the_dynamic_batch(model, io, int8, float_models, infer):
    path, result = int8(model, io)
    original = tflite_signature(float_models / f"{model}.tflite", {})
    for own, theirs in ((result.signature.inputs, original.inputs), (result.signature.outputs, original.outputs)):
        assert [(spec.name, spec.shape) for spec in own] == [(spec.name, spec.shape) for spec in theirs]
        assert {spec.dtype for spec in own} == {io.value}
    name = result.signature.outputs[0].name
    spec = result.signature.input("image")
    image = images(5)
    at_once = infer(path, {"image": spec.from_torch(image)})[name]
    singly = np.concatenate([infer(path, {"image": spec.from_torch(image[i : i + 1])})[name] for i in range(5)])
    in_twos = infer(path, {"image": spec.from_torch(image[:2])})[name]
    np.testing.assert_array_equal(at_once, singly)
    np.testing.assert_array_equal(at_once[:2], in_twos)


def test_padded_max_pool_keeps_int8_ranges_sane(int8, float_models, infer):
    path, result = int8("mixed")
    assert max(each.high - each.low for each in result.recipe.calibration.ranges) < 100
    image = images(5)
    expected = infer(float_models / "mixed.tflite", {"image": image})["logits"]
    spec = result.signature.output("logits")
    stored = infer(path, {"image": result.signature.input("image").from_torch(image)})["logits"]
    assert sqnr_db(expected, spec.to_torch(stored)) > 20


@pytest.mark.parametrize(("model", "output"), [("mixed", "logits"), ("leaky", "logits"), ("tokens", "scores")])
def test_int8_is_never_worse_than_the_library_by_hand(model, output, int8, by_hand, float_models, infer):
    path, result = int8(model)
    name = result.signature.inputs[0].name
    inputs = images(32) if name == "image" else RANDOM.integers(0, 50, (32, 6)).astype(np.int32)
    expected = infer(float_models / f"{model}.tflite", {name: inputs})[output]

    def quality_db(file: Path) -> float:
        signature = tflite_signature(file, {})
        found = infer(file, {name: signature.input(name).from_torch(inputs)})[output]
        return sqnr_db(expected, signature.output(output).to_torch(found))

    assert quality_db(path) >= quality_db(by_hand / f"{model}.tflite")


@pytest.mark.parametrize("model", ["mixed", "plain"])
def test_with_the_librarys_ranges_it_is_the_librarys_file_byte_for_byte(model, float_models, by_hand, worker, tmp_path):
    """One sample leaves no choice of ranges. What our steps leave out of the library's own changes nothing."""
    source = float_models / f"{model}.tflite"
    worker.run(
        make_int8,
        model=source,
        out=tmp_path / "int8.tflite",
        calibration=float_models / "image.npz",
        signature=tflite_signature(source, {}),
        io=IoType.INT8,
        max_samples=1,
        corrections="none",
        ranges=RangesOption.AVERAGE,
    )
    assert (tmp_path / "int8.tflite").read_bytes() == (by_hand / "one" / f"{model}.tflite").read_bytes()


def test_integer_inputs_stay_integers(int8):
    signature = int8("tokens", IoType.UINT8)[1].signature
    assert signature.input("ids").dtype == "int32"
    assert signature.output("scores").dtype == "uint8"


def test_a_fixed_batch_size_is_calibrated_in_groups_of_it(int8):
    _, result = int8("fixed_batch")
    assert result.signature.input("image").shape == (2, 16, 16, 3)
    assert result.recipe.calibration.sample_count == 24


def test_channels_without_weights_do_not_stop_the_rest(int8, float_models, infer):
    path, result = int8("dead_channels")
    expected = "Conv2D: 2 channels have next to no weights; their range was widened so that the bias fits"
    assert expected in result.notes
    image = images(5)
    expected = infer(float_models / "dead_channels.tflite", {"image": image})["logits"]
    stored = infer(path, {"image": result.signature.input("image").from_torch(image)})["logits"]
    assert sqnr_db(expected, result.signature.output("logits").to_torch(stored)) > 25


def test_second_operands_of_products_are_stored_around_zero(int8):
    """XNNPACK leaves their zero point out: 14 dB in place of 30 for this net (which the test above would see)."""
    path, _ = int8("causal_attention")
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    products = [op for op in interpreter._get_ops_details() if op["op_name"] == "BATCH_MATMUL"]
    zero_points = [interpreter._get_tensor_details(op["inputs"][1], 0)["quantization"][1] for op in products]
    assert zero_points == [0, 0]


def test_a_part_that_nobody_reads_is_stored_as_the_others_are(int8, float_models, infer):
    """The forget gate of an LSTM's first step: LiteRT shows no values of it, and XNNPACK wants it to be int8."""
    path, result = int8("unread_part")
    image = images(5)
    expected = infer(float_models / "unread_part.tflite", {"image": image})["logits"]
    stored = infer(path, {"image": result.signature.input("image").from_torch(image)})["logits"]
    assert sqnr_db(expected, result.signature.output("logits").to_torch(stored)) > 25


def test_a_loop_stays_in_float_and_what_is_around_it_does_not(int8, float_models, infer):
    path, result = int8("looping")
    kept = {each.op: each.reason for each in result.float_ops}
    assert "CONV_2D" not in kept
    assert kept["WHILE"] == "LiteRT shows no values from inside it, so that int8 ranges cannot be learnt"
    image = images(5)
    expected = infer(float_models / "looping.tflite", {"image": image})["logits"]
    stored = infer(path, {"image": result.signature.input("image").from_torch(image)})["logits"]
    assert sqnr_db(expected, result.signature.output("logits").to_torch(stored)) > 25


def test_a_sample_that_gives_nan_is_named(float_models, worker, tmp_path):
    source = float_models / "mixed.tflite"
    image = images(3)
    image[1, 0, 0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", image=image)
    with pytest.raises(SamplesInvalid, match="NaN on calibration sample 2"):
        worker.run(
            make_int8,
            model=source,
            out=tmp_path / "int8.tflite",
            calibration=tmp_path / "nan.npz",
            signature=tflite_signature(source, {}),
            io=IoType.INT8,
            max_samples=8,
        )


def test_a_file_that_litert_cannot_run_is_a_typed_error(int8, float_models, tmp_path):
    """As TensorFlow's own quantizer makes them of a padded max pool: written without a warning, dead on a phone."""
    recipe = int8("mixed")[1].recipe
    ranges = tuple(replace(each, high=3.4e38) if each.tensor == "PadV2" else each for each in recipe.calibration.ranges)
    path = tmp_path / "bad.recipe.json"
    write_recipe(path, replace(recipe, calibration=replace(recipe.calibration, ranges=ranges)))
    with Worker("doomed", log_path=tmp_path / "log") as doomed, pytest.raises((WorkerDied, QuantizationFailed)):
        doomed.run(remake_int8, model=float_models / "mixed.tflite", out=tmp_path / "bad.tflite", recipe=path)
