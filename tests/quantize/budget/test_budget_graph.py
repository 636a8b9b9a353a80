"""What the search knows of a file's ops."""

from __future__ import annotations

from quantize.budget.graph import OUTSIDE, op_graph


def test_multiplications_weights_and_edges_are_counted(float_models, int8):
    _, result = int8("plain")
    graph = op_graph(float_models / "plain.tflite", result.recipe)
    by_kind = {op.kind: op for op in graph.ops}
    conv, dense = by_kind["CONV_2D"], by_kind["FULLY_CONNECTED"]
    assert conv.macs == 16 * 16 * 8 * 3 * 3 * 3
    assert conv.weights == 8 * 3 * 3 * 3 + 8
    assert dense.macs == 8 * 10
    assert graph.macs == conv.macs + dense.macs
    assert all(op.quantizable for op in graph.ops)
    assert OUTSIDE in graph.touching[conv.inputs[0]]
    assert OUTSIDE not in graph.touching[conv.outputs[0]]


def test_an_op_that_the_recipe_leaves_in_float_cannot_be_chosen(float_models, int8):
    _, result = int8("leaky")
    graph = op_graph(float_models / "leaky.tflite", result.recipe)
    assert {op.kind: op.quantizable for op in graph.ops}["ATAN2"] is False
