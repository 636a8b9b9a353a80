"""What a file is made of, read without unpacking it."""

from __future__ import annotations

from verify.runners.tflite_inspect import float_op_counts, op_counts, quantized_kind, transpose_count

OPS = (("ADD", 1), ("CONV_2D", 1), ("FULLY_CONNECTED", 1), ("GATHER", 1), ("MEAN", 1))


def test_ops_are_counted_by_type(tf_models):
    assert op_counts(tf_models / "net_float32.tflite") == OPS
    assert transpose_count(tf_models / "net_float32.tflite") == 0


def test_a_fully_quantized_file_has_no_op_in_float(tf_models):
    assert float_op_counts(tf_models / "net_int8.tflite") == ()


def test_every_op_of_a_float_file_computes_in_float(tf_models):
    assert float_op_counts(tf_models / "net_float32.tflite") == OPS


def test_hybrid_kernels_do_not_count_as_float(tf_models):
    left = dict(float_op_counts(tf_models / "net_dynamic_int8.tflite"))
    assert "FULLY_CONNECTED" not in left
    assert left["MEAN"] == 1


def test_a_file_says_how_it_is_quantized(tf_models):
    kinds = [quantized_kind(tf_models / f"net_{name}.tflite") for name in ("float32", "dynamic_int8", "int8")]
    assert kinds == [None, "dynamic_int8", "int8"]
