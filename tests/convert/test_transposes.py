"""How many transposes are left in the TFLite file: those that the author of the net wrote, and no other."""

from __future__ import annotations

import adversarial_graphs as graphs
from adversarial_graphs import Case, Ops


def test_attention_has_one_transpose_each_for_queries_keys_values_and_result(ops: Ops) -> None:
    """As torch writes ViT: one projection, keys transposed through a batch of heads, a scale on each side."""

    def build(c: Case) -> None:
        x = c.op("MatMul", c.input("N", 9, 24), c.weight(24, 72))
        x = c.transpose(c.reshape(x, -1, 9, 3, 4, 6), 2, 0, 3, 1, 4)
        q, k, v = (c.op("Gather", x, c.scalar(index), axis=0) for index in range(3))
        k = c.reshape(c.transpose(c.reshape(k, -1, 9, 6), 0, 2, 1), -1, 4, 6, 9)
        q, k = (c.op("Mul", each, c.floats(0.6)) for each in (q, k))
        mixed = c.op("MatMul", c.op("Softmax", c.op("MatMul", q, k), axis=-1), v)
        mixed = c.reshape(c.transpose(mixed, 0, 2, 1, 3), -1, 9, 24)
        c.output(c.op("MatMul", mixed, c.weight(24, 24)))

    counts = ops(build)

    assert counts["TRANSPOSE"] == 4
    assert counts["BATCH_MATMUL"] == 2
    assert counts["FULLY_CONNECTED"] == 4
    assert not {"MUL", "STRIDED_SLICE", "SPLIT", "GATHER"} & set(counts)


def test_attention_between_convolutions_has_none(ops: Ops) -> None:
    assert "TRANSPOSE" not in ops(graphs.CASES["products_stored_by_columns"])


def test_patches_are_unfolded_in_one_and_folded_in_one(ops: Ops) -> None:
    assert ops(graphs.CASES["patches_unfolded_and_folded"])["TRANSPOSE"] == 2


def test_a_norm_and_dense_layers_over_the_channels_of_an_image_have_none(ops: Ops) -> None:
    """ConvNeXt's block."""

    def build(c: Case) -> None:
        image = c.image()
        x = c.transpose(c.conv(image, 8, 8), 0, 2, 3, 1)
        x = c.op("LayerNormalization", x, c.weight(8), c.weight(8), axis=-1)
        x = c.op("MatMul", c.op("Gelu", c.op("MatMul", x, c.weight(8, 32))), c.weight(32, 8))
        c.output(c.op("Add", image, c.transpose(c.op("Mul", x, c.weight(8)), 0, 3, 1, 2)))

    assert "TRANSPOSE" not in ops(build)


def test_windows_of_an_image_are_cut_in_one_and_put_back_in_one(ops: Ops) -> None:
    """MaxViT and Swin between convolutions."""

    def build(c: Case) -> None:
        x = c.transpose(c.image(), 0, 2, 3, 1)
        x = c.reshape(c.transpose(c.reshape(x, -1, 2, 4, 2, 4, 8), 0, 1, 3, 2, 4, 5), -1, 16, 8)
        x = c.op("Softmax", c.op("MatMul", x, c.weight(8, 8)), axis=1)
        x = c.transpose(c.reshape(x, -1, 2, 2, 4, 4, 8), 0, 1, 3, 2, 4, 5)
        c.output(c.conv(c.transpose(c.reshape(x, -1, 8, 8, 8), 0, 3, 1, 2)))

    assert ops(build)["TRANSPOSE"] <= 4
