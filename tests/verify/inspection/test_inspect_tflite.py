"""What a TFLite file is said to be made of."""

from __future__ import annotations

import random
import shutil

import pytest

from verify.artifact import Artifact, Format, sha256_of
from verify.errors import ModelUnreadable
from verify.inspection.opening import inspect_model, read_model
from verify.runners.tflite_file import tflite_signature
from verify.signature import Signature
from verify.signature_file import write_signatures

LEARNT = 3 * 3 * 3 * 32 + 10 * 32 + 32 * 40
CONV_BIAS = 32
"""The converter adds one of zeros."""
MACS = 8 * 6 * 32 * 27 + 32 * 40


@pytest.fixture(scope="module")
def float_net(tf_models):
    return read_model(tf_models / "net_float32.tflite")


@pytest.fixture(scope="module")
def int8_net(tf_models):
    return read_model(tf_models / "net_int8.tflite")


def test_a_signature_has_its_names_dtypes_and_open_sizes(float_net):
    (signature,) = float_net.signatures
    assert signature.key == "serving_default"
    assert {(spec.name, spec.dtype, spec.shape) for spec in signature.inputs} == {
        ("image", "float32", ("N", 8, 6, 3)),
        ("token", "int32", ("N",)),
    }
    assert {spec.name for spec in signature.outputs} == {"features", "logits"}


def test_layouts_are_those_that_signature_json_declares(tf_models, tmp_path):
    shutil.copy(tf_models / "net_float32.tflite", tmp_path)
    path = tmp_path / "net_float32.tflite"
    declared = tflite_signature(path, {"image": (0, 2, 3, 1)})
    write_signatures(tmp_path, (Artifact(path, Format.TFLITE, declared, sha256_of(path)),))
    found = {spec.name: spec.permutation for spec in read_model(path).signatures[0].inputs}
    assert found == {"image": (0, 2, 3, 1), "token": None}


def test_a_stale_signature_json_is_noted_and_not_applied(tf_models, tmp_path):
    path = tmp_path / "net_float32.tflite"
    shutil.copy(tf_models / "net_float32.tflite", path)
    write_signatures(tmp_path, (Artifact(path, Format.TFLITE, Signature((), ()), "0" * 64),))
    assert any("layouts are not shown" in note for note in read_model(path).notes)


def test_parameters_are_counted_without_sizes_and_axes(float_net):
    assert float_net.parameters == LEARNT + CONV_BIAS
    assert float_net.weight_bytes == 4 * float_net.parameters


def test_multiply_accumulates_are_those_of_batch_1(float_net, int8_net):
    assert float_net.macs.total == int8_net.macs.total == MACS
    assert float_net.macs.assumption == "batch 1"
    assert float_net.ops[0].op == "CONV_2D"


def test_layers_are_largest_first_and_make_up_the_weights(float_net):
    sizes = [layer.weight_bytes for layer in float_net.layers]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == float_net.weight_bytes


def test_scales_and_zero_points_of_the_input_are_those_of_the_file(tf_models, int8_net):
    expected = tflite_signature(tf_models / "net_int8.tflite", {}).input("image").quantization
    (found,) = [tensor for tensor in int8_net.quantization.tensors if tensor.name.startswith("serving_default_image")]
    assert (found.scale_min, found.scale_max, found.zero_point_min) == (
        expected.scale,
        expected.scale,
        expected.zero_point,
    )
    assert (found.scheme, found.constant) == ("per tensor", False)


def test_convolution_weights_are_quantized_per_output_channel(int8_net):
    (kernel,) = [tensor for tensor in int8_net.quantization.tensors if tensor.shape == (32, 3, 3, 3)]
    assert (kernel.scheme, kernel.axis, kernel.scales, kernel.dtype) == ("per axis", 0, 32, "int8")
    assert kernel.scale_min < kernel.scale_max
    assert (kernel.zero_point_min, kernel.zero_point_max) == (0, 0)


def test_a_whole_int8_file_has_no_float_island(int8_net):
    assert int8_net.quantization.kind == "int8"
    assert int8_net.quantization.float_islands == ()


def test_float_ops_that_hand_on_tensors_are_one_island(tf_models):
    islands = read_model(tf_models / "net_dynamic_int8.tflite").quantization.float_islands
    ops = [dict(island.ops) for island in islands]
    assert any({"MEAN", "ADD"} <= set(island) for island in ops)


def test_float16_weights_belong_to_the_op_that_reads_them_unpacked(tf_files):
    found = read_model(tf_files / "float16.tflite")
    assert found.quantization.kind == "float16"
    assert found.layers[0].op == "CONV_2D"
    assert found.weight_bytes == 2 * found.parameters


def test_the_body_of_a_loop_is_a_subgraph_and_its_products_are_not_counted(tf_files):
    found = read_model(tf_files / "loop.tflite")
    assert len(found.subgraphs) == 3
    assert found.macs.uncounted == (("WHILE", 1),)


def test_flex_ops_are_named_apart_from_custom_ones(tf_files):
    found = read_model(tf_files / "flex.tflite")
    assert found.flex_ops == (("FlexMatrixInverse", 1),)
    assert found.custom_ops == ()
    assert any("Flex delegate" in sentence for sentence in found.summary)


def test_open_sizes_are_listed_and_fixed_ones_are_not(float_net, tf_files):
    assert "input" in {tensor.role for tensor in float_net.dynamic_tensors}
    assert read_model(tf_files / "fixed_int8.tflite").dynamic_tensors == ()


def test_a_truncated_file_is_unreadable_in_the_worker_too(tf_models, tmp_path):
    cut = tmp_path / "cut.tflite"
    cut.write_bytes((tf_models / "net_float32.tflite").read_bytes()[:600])
    with pytest.raises(ModelUnreadable, match=r"cut\.tflite"):
        inspect_model(cut)


def test_no_cut_and_no_damage_ends_in_anything_but_a_typed_error(tf_models, tmp_path):
    whole = (tf_models / "net_int8.tflite").read_bytes()
    chosen, path = random.Random(0), tmp_path / "broken.tflite"
    cuts = [whole[: chosen.randrange(len(whole))] for _ in range(60)]
    changed = [_damaged(whole, chosen) for _ in range(300)]
    refused = 0
    for data in (*cuts, *changed):
        path.write_bytes(data)
        try:
            read_model(path)
        except ModelUnreadable:
            refused += 1
    assert refused >= len(cuts) // 2


def _damaged(whole: bytes, chosen: random.Random) -> bytes:
    """A few offsets or lengths overwritten."""
    changed = bytearray(whole)
    for _ in range(chosen.choice((1, 4, 16))):
        at = chosen.randrange(len(whole) - 4)
        changed[at : at + 4] = chosen.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", chosen.randbytes(4)))
    return bytes(changed)
