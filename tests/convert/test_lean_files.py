"""What the TFLite file is spared: ops that a phone need not run. Exact in LiteRT at batch 1, 2 and 5."""

from __future__ import annotations

import pytest
from adversarial_graphs import Case, Ops


def test_a_stem_pads_no_pool(ops: Ops) -> None:
    def build(c: Case) -> None:
        stem = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
        x = c.op("Relu", c.conv(c.input("N", 3, 24, 24), 3, 8, **stem))
        c.output(c.op("MaxPool", x, kernel_shape=[3, 3], **stem))

    assert ops(build) == {"PAD": 1, "CONV_2D": 1, "MAX_POOL_2D": 1, "STRIDED_SLICE": 1}


def test_a_pool_without_padding_is_left_as_it_is(ops: Ops) -> None:
    def build(c: Case) -> None:
        x = c.op("Relu", c.conv(c.input("N", 3, 21, 21), 3, 8))
        c.output(c.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2]))

    assert ops(build) == {"CONV_2D": 1, "MAX_POOL_2D": 1}


def test_tokens_are_not_flattened_between_dense_layers(ops: Ops) -> None:
    def build(c: Case) -> None:
        x = c.input("N", 7, 6)
        flat = c.reshape(c.op("MatMul", x, c.weight(6, 10)), -1, 10)
        c.output(c.op("MatMul", c.reshape(flat, -1, 7, 10), c.weight(10, 4)))

    assert ops(build) == {"FULLY_CONNECTED": 2}


def test_branches_of_one_input_are_one_convolution(ops: Ops) -> None:
    def build(c: Case) -> None:
        x = c.input("N", 8, 8, 8)
        total = c.op("Add", c.op("Add", c.conv(x), c.conv(x, kernel=1)), x)
        c.output(c.op("Relu", total))

    assert ops(build) == {"CONV_2D": 1}


def test_unequal_parts_are_slices_which_the_delegate_takes(ops: Ops) -> None:
    def build(c: Case) -> None:
        parts = c.ops("Split", 3, c.image(), c.ints(1, 5, 2), axis=1)
        c.output(*(c.op("Tanh", part) for part in parts))

    assert ops(build) == {"CONV_2D": 1, "STRIDED_SLICE": 3, "TANH": 3}


def test_a_shuffle_between_convolutions_moves_nothing(ops: Ops) -> None:
    def build(c: Case) -> None:
        x = c.op("Relu", c.conv(c.input("N", 3, 8, 8), 3, 12))
        shuffled = c.reshape(c.transpose(c.reshape(x, -1, 3, 4, 8, 8), 0, 2, 1, 3, 4), -1, 12, 8, 8)
        c.output(c.conv(shuffled, 12, 5, kernel=1))

    assert ops(build) == {"CONV_2D": 2}


def test_halves_of_a_shuffle_are_slices_and_joins(ops: Ops) -> None:
    """ShuffleNetV2: what goes past a block is cut once, where its readers need it."""

    def build(c: Case) -> None:
        image = c.input("N", 3, 8, 8)
        x = c.op("Concat", c.conv(image, 3, 8), c.conv(image, 3, 8), axis=1)
        for _ in range(2):
            x = c.reshape(c.transpose(c.reshape(x, -1, 2, 8, 8, 8), 0, 2, 1, 3, 4), -1, 16, 8, 8)
            past, through = c.ops("Split", 2, x, axis=1, num_outputs=2)
            x = c.op("Concat", past, c.conv(through), axis=1)
        c.output(c.conv(x, 16, 5))

    assert not {"TRANSPOSE", "RESHAPE", "GATHER"} & set(ops(build))


def test_slopes_are_one_op(ops: Ops) -> None:
    """One slope a channel, one slope, and one a channel and row, over maps and over vectors."""

    def build(c: Case) -> None:
        slopes = (c.weight(8, 1, 1), c.weight(1), c.weight(1, 8, 1, 1), c.weight(8, 8, 1))
        c.output(*(c.op("PRelu", c.image(), slope) for slope in slopes))
        c.output(c.op("PRelu", c.op("MatMul", c.input("N", 6), c.weight(6, 4)), c.weight(4)))

    assert ops(build) == {"CONV_2D": 4, "PRELU": 5, "FULLY_CONNECTED": 1}


def test_a_vector_that_becomes_an_image_is_not_transposed(ops: Ops) -> None:
    def build(c: Case) -> None:
        dense = c.op("Relu", c.op("MatMul", c.input("N", 6), c.weight(6, 8 * 8 * 8)))
        c.output(c.conv(c.reshape(dense, -1, 8, 8, 8)))

    assert ops(build) == {"FULLY_CONNECTED": 1, "RESHAPE": 1, "CONV_2D": 1}


def test_transposed_convolutions_need_no_batch(ops: Ops) -> None:
    """With the ReLUs inside; a result that were sized while it runs would keep the file from the GPU."""

    def build(c: Case) -> None:
        x = c.input("N", 4, 5, 5)
        for _ in range(3):
            x = c.op("Relu", c.op("ConvTranspose", x, c.weight(4, 4, 2, 2), strides=[2, 2]))
        c.output(x)

    assert ops(build) == {"CONV_2D": 3, "DEPTH_TO_SPACE": 3}


def test_a_transposed_convolution_of_each_channel_is_one_op(ops: Ops) -> None:
    def build(c: Case) -> None:
        up = {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": 6}
        c.output(c.op("ConvTranspose", c.input("N", 6, 5, 5), c.weight(6, 1, 4, 4), **up))

    assert ops(build) == {
        "CONCATENATION": 1, "PAD": 1, "DEPTHWISE_CONV_2D": 1, "DEPTH_TO_SPACE": 1, "STRIDED_SLICE": 1
    }  # fmt: skip


def test_a_transposed_convolution_over_time_moves_nothing(ops: Ops) -> None:
    def build(c: Case) -> None:
        x = c.conv(c.input("N", 4, 1, 9), 4, 4)
        line = c.op("ConvTranspose", c.reshape(x, -1, 4, 9), c.weight(4, 4, 2), strides=[2])
        c.output(c.conv(c.reshape(line, -1, 4, 1, 18), 4, 4))

    assert "TRANSPOSE" not in ops(build)


def test_a_class_token_is_padding_and_part_of_the_positions(ops: Ops) -> None:
    def build(c: Case) -> None:
        x = c.op("MatMul", c.input("N", 5, 4), c.weight(4, 8))
        sizes = c.op("Concat", c.op("Shape", x, start=0, end=1), c.ints(1, 1), axis=0)
        token = c.op("Expand", c.weight(1, 1, 8), sizes)
        places = c.op("Add", c.op("Concat", token, x, axis=1), c.weight(1, 6, 8))
        c.output(c.op("MatMul", c.op("Gather", places, c.scalar(0), axis=1), c.weight(8, 3)))

    assert ops(build) == {"FULLY_CONNECTED": 2, "PAD": 1, "ADD": 1, "STRIDED_SLICE": 1, "RESHAPE": 1}


def test_sizes_are_known_before_the_model_runs(ops: Ops) -> None:
    """LiteRT prepares GATHER and CONCATENATION of sizes, but not PACK."""

    def build(c: Case) -> None:
        x = c.input("N", 6, "L", 4)
        sizes = c.op("Concat", c.op("Gather", c.op("Shape", x), c.ints(0, 2)), c.ints(24), axis=0)
        c.output(c.op("Relu", c.op("Reshape", c.op("Transpose", x, perm=[0, 2, 1, 3]), sizes)))

    counts = ops(build)
    assert counts["GATHER"] == 2 * counts["CONCATENATION"]
    assert "PACK" not in counts


def test_the_shape_of_a_whole_tensor_is_read_at_once(ops: Ops) -> None:
    def build(c: Case) -> None:
        x = c.input("N", 6, 4)
        ones = c.op("ConstantOfShape", c.op("Shape", x))
        c.output(c.op("Sub", x, c.op("Cos", ones)))

    assert ops(build) == {"SHAPE": 1, "FILL": 1, "COS": 1, "SUB": 1}


@pytest.mark.parametrize("has_bias", [True, False])
def test_a_dense_layer_before_a_hard_swish_is_computed_once(ops: Ops, has_bias: bool) -> None:
    def build(c: Case) -> None:
        bias = (c.weight(32),) if has_bias else ()
        x = c.op("HardSwish", c.op("Gemm", c.input("N", 16), c.weight(16, 32), *bias))
        c.output(c.op("Gemm", x, c.weight(32, 4)))

    found = ops(build)
    assert found == {"FULLY_CONNECTED": 2, "HARD_SWISH": 1, **({} if has_bias else {"RESHAPE": 2})}
