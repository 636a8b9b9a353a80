from __future__ import annotations

import pytest

from quantize.operators import Operator
from quantize.recipe import InputStats, IoType, Override, Precision
from quantize.scheme import Scheme, parse_input_stats
from quantize.selection import overrides, select
from verify.errors import InputError
from verify.modules import Modules

NET = (
    Operator(0, "CONV_2D", ("Relu;Conv2D;BiasAdd",), ("features.0", "features.1")),
    Operator(1, "CONV_2D", ("Relu_1;Conv2D_1",), ("features.10",)),
    Operator(2, "MEAN", ("Mean",), ("pool",)),
    Operator(3, "FULLY_CONNECTED", ("StatefulPartitionedCall:0",), ("head.attention.out",)),
)


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("CONV_2D", [0, 1]),
        ("op:MEAN", [2]),
        ("features.1", [0]),
        ("features", [0, 1]),
        ("features.*", [0, 1]),
        ("module:head.*.out", [3]),
        ("*.attention.*", [3]),
        ("Mean", [2]),
        ("tensor:^Relu_1", [1]),
        ("tensor:Conv2D", [0, 1]),
    ],
)
def test_a_pattern_chooses_by_op_type_module_or_tensor(pattern, chosen):
    assert [each.index for each in select(pattern, NET)] == chosen


def test_a_pattern_that_matches_nothing_names_what_is_near():
    with pytest.raises(InputError, match=r"'featurs.10' matches no op") as caught:
        select("featurs.10", NET)
    assert "features.10" in caught.value.fix


def test_without_modules_the_error_says_where_they_come_from():
    bare = tuple(Operator(each.index, each.op, each.outputs) for each in NET)
    with pytest.raises(InputError) as caught:
        select("features.0", bare)
    assert "module names are known of files that convert made" in caught.value.fix


def test_float_goes_before_int16_where_both_are_asked_for():
    assert overrides(["features.0"], ["CONV_2D"], NET) == (
        Override("Relu;Conv2D;BiasAdd", Precision.FLOAT),
        Override("Relu_1;Conv2D_1", Precision.INT16),
    )


def test_a_tensor_comes_from_the_modules_of_all_ops_that_were_fused_into_it():
    modules = Modules({"Relu_1": "features.2", "Conv2D_1": "features.0", "Conv2D": "stem", "split_22": "gru"})
    assert modules.of_tensor("Relu_1;Conv2D_1;BiasAdd_1/ReadVariableOp") == ("features.0", "features.2")
    assert modules.of_tensor("Conv2D3") == ("stem",)
    assert modules.of_tensor("split_221") == ("gru",)
    assert modules.of_tensor("serving_default_image:0") == ()


def test_input_statistics_mean_what_tensorflow_means_by_them():
    assert parse_input_stats("127.5,127.5", ["image"]) == InputStats("image", 127.5, 127.5)
    assert parse_input_stats("image=0,255", ["image", "state"]).limits() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "inputs", "message"),
    [
        ("127.5", ["image"], "is no input statistics"),
        ("1,2", ["a", "b"], "does not say which of the inputs a, b"),
        ("c=1,2", ["a", "b"], "has no input 'c'"),
        ("300,1", ["a"], "a uint8 input holds 0 only if"),
        ("127,0", ["a"], "a uint8 input holds 0 only if"),
    ],
)
def test_input_statistics_that_cannot_be_are_refused(text, inputs, message):
    with pytest.raises(InputError, match=message):
        parse_input_stats(text, inputs)


@pytest.mark.parametrize(
    ("scheme", "io", "message"),
    [
        (Scheme(weight_bits=3), IoType.INT8, "weights of 3 bits"),
        (Scheme(), IoType.INT16, "an int8 file with int16 inputs"),
        (Scheme(Precision.INT16), IoType.UINT8, "a 16x8 file with uint8 inputs"),
        (Scheme(input_stats=(InputStats("a", 0, 1),)), IoType.FLOAT32, "input statistics for float32"),
        (Scheme(keep_float=("MEAN",), require_full_int8=True), IoType.INT8, "some are to be kept in float"),
        (Scheme(require_full_int8=True), IoType.FLOAT32, "inputs and outputs float32"),
    ],
)
def test_wishes_that_exclude_each_other_are_refused(scheme, io, message):
    with pytest.raises(InputError, match=message):
        scheme.require_consistent(io)
