"""Static files otherwise than int8 throughout: ops lifted by name, 16x8, int4 weights, given input scales."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantize.jobs import make_int4_weights, make_int8, make_weight_only_int8, remake_int8
from quantize.operators import operators
from quantize.recipe import InputStats, IoType, Precision, read_recipe, write_recipe
from quantize.scheme import Scheme
from quantize.selection import lifted
from quantize.tflite import to_int8
from verify.errors import InputError, NotFullyInt8
from verify.runners.tflite_file import dtype_of, open_model, tflite_signature
from verify.runners.tflite_inspect import float_op_counts, opcode_names


def sqnr_db(expected: np.ndarray, actual: np.ndarray) -> float:
    return float(10 * np.log10((expected**2).sum() / ((expected - actual) ** 2).sum()))


@pytest.fixture
def make(float_models, worker, tmp_path):
    """``make("plain", Scheme(…))`` → the static file and its result."""

    def run(model: str, scheme: Scheme, io: IoType = IoType.INT8):
        source, out = float_models / f"{model}.tflite", tmp_path / f"{model}_{scheme.activations}.tflite"
        job = worker.run(
            make_int8,
            model=source,
            out=out,
            calibration=float_models / "image.npz",
            signature=tflite_signature(source, {}),
            io=io,
            max_samples=128,
            corrections="none",
            scheme=scheme,
        )
        return out, job.value

    return run


@pytest.fixture
def quality_db(float_models, infer):
    """``quality_db("plain", path)`` → SQNR of the first output against the float file."""

    def measure(model: str, path: Path) -> float:
        image = np.random.default_rng(5).normal(size=(5, 16, 16, 3)).astype(np.float32)
        signature = tflite_signature(path, {})
        name = signature.outputs[0].name
        expected = infer(float_models / f"{model}.tflite", {"image": image})[name]
        stored = infer(path, {"image": signature.input("image").from_torch(image)})[name]
        return sqnr_db(expected, signature.output(name).to_torch(stored))

    return measure


def ops_with_inputs(path: Path) -> list[tuple[str, list[str]]]:
    with open_model(path) as model:
        names, graph = opcode_names(model), model.Subgraphs(0)
        found = map(graph.Operators, range(graph.OperatorsLength()))
        return [
            (names[each.OpcodeIndex()], [dtype_of(graph.Tensors(int(at))) for at in each.InputsAsNumpy() if at >= 0])
            for each in found
        ]


def test_ops_kept_in_float_compute_in_float_and_are_listed_as_asked_for(make, quality_db):
    path, result = make("mixed", Scheme(keep_float=("DEPTHWISE_CONV_2D", "MEAN")))
    kept = {each.op: each for each in result.float_ops}
    assert set(kept) == {"DEPTHWISE_CONV_2D", "MEAN"} == set(dict(float_op_counts(path)))
    assert {each.reason for each in kept.values()} == {"it was asked to be kept in float"}
    assert ("DEPTHWISE_CONV_2D", ["float32"] * 3) in ops_with_inputs(path)
    assert quality_db("mixed", path) > 20


def test_ops_lifted_to_int16_compute_in_int16(make, quality_db):
    """LiteRT goes from int8 to int16 by way of float only, and back at once."""
    path, result = make("mixed", Scheme(keep_int16=("LOGISTIC", "DEPTHWISE_CONV_2D")))
    found = ops_with_inputs(path)
    assert result.float_ops == ()
    assert ("LOGISTIC", ["int16"]) in found
    assert any(op == "DEPTHWISE_CONV_2D" and inputs[:2] == ["int16", "int8"] for op, inputs in found)
    assert quality_db("mixed", path) > 20


def test_all_ops_in_float_are_the_float_file(make, quality_db, float_models):
    every = tuple(f"op:{op}" for op in sorted({each.op for each in operators(float_models / "plain.tflite")}))
    path, _ = make("plain", Scheme(keep_float=every), IoType.FLOAT32)
    assert quality_db("plain", path) > 100


def test_an_op_without_an_int16_kernel_is_not_lifted_to_int16(make):
    with pytest.raises(InputError, match="LiteRT has no int16 kernel that is right for HARD_SWISH"):
        make("mixed", Scheme(keep_int16=("HARD_SWISH",)))


def test_a_recipe_with_lifted_ops_makes_the_same_bytes_again(make, worker, float_models, tmp_path):
    path, result = make("mixed", Scheme(keep_float=("MEAN",), keep_int16=("LOGISTIC",)))
    write_recipe(tmp_path / "recipe.json", result.recipe)
    assert read_recipe(tmp_path / "recipe.json") == result.recipe
    again = tmp_path / "again.tflite"
    worker.run(remake_int8, model=float_models / "mixed.tflite", out=again, recipe=tmp_path / "recipe.json")
    assert again.read_bytes() == path.read_bytes()


def test_a_search_lifts_ops_by_the_tensors_they_give_and_takes_them_back(make, float_models, tmp_path):
    """How to make many files of one calibration: lift, apply, look, lift on."""
    path, result = make("plain", Scheme())
    source = float_models / "plain.tflite"
    convolution = next(each.name for each in operators(source) if each.op == "CONV_2D")
    lift = lifted(result.recipe, [convolution], Precision.FLOAT)
    to_int8(source, tmp_path / "lifted.tflite", lift)
    assert dict(float_op_counts(tmp_path / "lifted.tflite")) == {"CONV_2D": 1}
    back = lifted(lift, [convolution], Precision.INT8)
    to_int8(source, tmp_path / "back.tflite", back)
    assert (tmp_path / "back.tflite").read_bytes() == path.read_bytes()


def test_a_recipe_that_lifts_what_is_not_there_is_refused(make, float_models, tmp_path):
    _, result = make("plain", Scheme())
    with pytest.raises(InputError, match="matches no op of the model"):
        to_int8(float_models / "plain.tflite", tmp_path / "x.tflite", lifted(result.recipe, ["Conv9"], Precision.FLOAT))


@pytest.mark.parametrize("io", [IoType.INT16, IoType.FLOAT32])
def test_16x8_is_far_nearer_than_int8(io, make, quality_db):
    path, result = make("plain", Scheme(Precision.INT16), io)
    assert {each.dtype for each in (*result.signature.inputs, *result.signature.outputs)} == {io.value}
    assert result.float_ops == ()
    assert quality_db("plain", path) > 38


def test_hard_swishes_of_a_16x8_file_compute_in_int16_too(make, quality_db, worker, float_models, tmp_path):
    """LiteRT's kernel knows int8 only, so that other ops make it up."""
    path, result = make("mixed", Scheme(Precision.INT16), IoType.INT16)
    assert result.float_ops == ()
    assert "HARD_SWISH" not in {op for op, _ in ops_with_inputs(path)}
    assert quality_db("mixed", path) > quality_db("mixed", make("mixed", Scheme())[0])
    write_recipe(tmp_path / "recipe.json", result.recipe)
    again = tmp_path / "again.tflite"
    worker.run(remake_int8, model=float_models / "mixed.tflite", out=again, recipe=tmp_path / "recipe.json")
    assert again.read_bytes() == path.read_bytes()


def test_what_has_no_int16_kernel_stays_in_float_in_a_16x8_file_and_is_listed(make):
    _, result = make("leaky", Scheme(Precision.INT16), IoType.INT16)
    assert {each.op: each.reason[:6] for each in result.float_ops} == {"ATAN2": "LiteRT", "ELU": "LiteRT"}


def test_int4_weights_are_in_the_convolutions_of_a_static_file(make, quality_db):
    path, _ = make("plain", Scheme(weight_bits=4))
    convolutions = [inputs for op, inputs in ops_with_inputs(path) if op == "CONV_2D"]
    assert [inputs[1] for inputs in convolutions] == ["int4"]
    assert quality_db("plain", path) > 10


def test_weights_have_one_scale_a_channel_or_one_for_all(make, quality_db):
    scales = []
    for per_tensor in (False, True):
        path, _ = make("plain", Scheme(per_tensor_weights=per_tensor))
        with open_model(path) as model:
            names, graph = opcode_names(model), model.Subgraphs(0)
            found = map(graph.Operators, range(graph.OperatorsLength()))
            convolution = next(each for each in found if names[each.OpcodeIndex()] == "CONV_2D")
            scales.append(graph.Tensors(convolution.Inputs(1)).Quantization().ScaleLength())
        assert quality_db("plain", path) > 20
    assert scales == [8, 1]


@pytest.mark.parametrize(("job", "least_db"), [(make_weight_only_int8, 35), (make_int4_weights, 10)])
def test_weight_only_files_need_no_data_and_stay_near(job, least_db, worker, float_models, quality_db, tmp_path):
    worker.run(job, model=float_models / "plain.tflite", out=tmp_path / "small.tflite")
    assert (tmp_path / "small.tflite").stat().st_size < (float_models / "plain.tflite").stat().st_size
    assert quality_db("plain", tmp_path / "small.tflite") > least_db


@pytest.mark.parametrize(("mean", "std", "scale", "zero_point"), [(0, 255, 1 / 255, 0), (128, 32, 1 / 32, 128)])
def test_input_statistics_are_the_inputs_scale_and_zero_point(mean, std, scale, zero_point, make):
    _, result = make("plain", Scheme(input_stats=(InputStats("image", mean, std),)), IoType.UINT8)
    stored = result.signature.input("image").quantization
    assert stored.scale == pytest.approx(scale, rel=1e-6)
    assert stored.zero_point == zero_point


def test_full_int8_is_an_error_that_lists_what_stays_in_float_and_why(make):
    with pytest.raises(NotFullyInt8, match=r"1 × ATAN2 \(LiteRT has no int8 kernel for it") as caught:
        make("leaky", Scheme(require_full_int8=True))
    assert caught.value.exit_code == 3
    make("mixed", Scheme(require_full_int8=True))
