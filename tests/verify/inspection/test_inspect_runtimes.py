"""Which ops would leave a runtime, by its published list."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from verify.inspection.opening import read_model
from verify.inspection.partition import partition
from verify.inspection.rules import broken
from verify.inspection.runtime_fit import Facts, fits_of
from verify.inspection.runtime_lists import Rule, runtimes
from verify.inspection.tflite_graph import Operand, Operator
from verify.inspection.types import Layer

NAMES = {"gpu", "nnapi", "qualcomm_npu", "edge_tpu", "micro"}


def fit(found, runtime: str):
    return next(each for each in found.runtimes if each.runtime == runtime)


def tensor(index: int, dtype: str = "float32", shape: tuple[int, ...] = (1, 4), **fields) -> Operand:
    return Operand(index, f"tensor_{index}", dtype, shape, **fields)


def chain(*ops: str) -> Facts:
    """Ops one after another on float tensors."""
    operators = [
        Operator(0, at, op, 1, False, (tensor(at),), (tensor(at + 1),), {"beta": 1.0}) for at, op in enumerate(ops)
    ]
    return Facts(operators, [Layer(0, one.index, one.op, one.name, macs=10) for one in operators], ())


def test_every_list_names_its_source_its_date_and_real_ops():
    from ai_edge_litert import schema_py_generated as schema

    builtin = {name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    assert {runtime.id for runtime in runtimes()} == NAMES
    for runtime in runtimes():
        assert runtime.source
        assert runtime.as_of[:4].isdigit()
        listed = [op for group in runtime.groups for op in group.ops]
        assert len(listed) == len(set(listed))
        assert {op for op in listed if op.isupper() and op not in {"CIRCULAR_BUFFER", "TFLM_DECODE"}} <= builtin


def test_options_that_rules_ask_for_are_in_the_schema():
    from ai_edge_litert import schema_py_generated as schema

    from verify.inspection.tflite_graph import option_names

    tables = [name for name, value in vars(schema.BuiltinOptions).items() if isinstance(value, int) and value]
    known = {option for table in tables for option in option_names(table)}
    for runtime in runtimes():
        for group in runtime.groups:
            asked = {*group.rule.options, *group.rule.not_options, *group.rule.equal_options}
            assert asked <= known, (runtime.id, asked - known)


def test_an_int8_file_of_fixed_sizes_is_taken_whole(tf_files):
    found = read_model(tf_files / "fixed_int8.tflite")
    for runtime in NAMES:
        one = fit(found, runtime)
        assert (one.staying, one.ops, one.blockers, one.leaving) == (1, 1, (), ()), runtime


def test_open_sizes_keep_a_file_from_the_edge_tpu_alone(tf_models):
    found = read_model(tf_models / "net_int8.tflite")
    assert "with an axis that the file leaves open" in fit(found, "edge_tpu").blockers[0]
    assert not fit(found, "gpu").blockers


@pytest.mark.parametrize("name", ["packed_size", "joined_size", "largest", "to_scalar", "fixed_int8", "loop"])
def test_sizes_known_only_while_it_runs_are_those_that_litert_leaves_open_when_it_prepares(tf_files, name):
    path = tf_files / f"{name}.tflite"
    found = read_model(path)
    left_open = any("size only while it runs" in blocker for blocker in fit(found, "gpu").blockers)
    assert left_open == leaves_tensors_open(path)


def leaves_tensors_open(path) -> bool:
    """Whether LiteRT has tensors without memory after it has prepared the graph: those whose size it does not know."""
    script = """if True:
        import sys
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        model = Interpreter(sys.argv[1], experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True)
        model.allocate_tensors()
        for op in model._get_ops_details():
            for tensor in op["outputs"]:
                try:
                    model.get_tensor(int(tensor))
                except ValueError:
                    sys.exit(9)
    """
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False, capture_output=True)
    assert done.returncode in {0, 9}, done.stderr
    return done.returncode == 9


def test_float_leaves_the_edge_tpu_with_the_dtype_as_reason(tf_models):
    leaving = fit(read_model(tf_models / "net_float32.tflite"), "edge_tpu").leaving
    assert ("CONV_2D", "float32 values, int8 or uint8 taken") in {(one.op, one.reason) for one in leaving}


def test_an_op_that_a_list_lacks_leaves_and_is_named(tf_models):
    leaving = fit(read_model(tf_models / "net_float32.tflite"), "edge_tpu").leaving
    assert ("GATHER", 1, "not in the list") in {(one.op, one.count, one.reason) for one in leaving}


def test_float_activations_with_int8_weights_leave_micro(tf_models):
    leaving = fit(read_model(tf_models / "net_dynamic_int8.tflite"), "micro").leaving
    assert ("FULLY_CONNECTED", "float values with integer weights") in {(one.op, one.reason) for one in leaving}


def test_float16_weights_stay_on_the_gpu_and_leave_micro(tf_files):
    found = read_model(tf_files / "float16.tflite")
    assert fit(found, "gpu").staying == fit(found, "gpu").ops
    assert fit(found, "micro").leaving[0].reason == "input 0 is float16, int8, int16 or uint8 taken"


def test_flex_leaves_every_runtime(tf_files):
    found = read_model(tf_files / "flex.tflite")
    assert all(one.staying == 0 and one.pieces == 0 for one in found.runtimes)


def test_an_op_in_the_middle_that_is_not_taken_cuts_the_graph_in_two():
    micro = next(one for one in fits_of(chain("RELU", "SOFTMAX", "ERF", "RELU")) if one.runtime == "micro")
    assert (micro.staying, micro.pieces, micro.macs_staying) == (3, 2, 30)


def test_the_gpu_takes_the_largest_part_alone_and_nnapi_three():
    facts = chain("RELU", "ERF", "RELU", "RELU", "ERF", "RELU", "ERF", "RELU")
    found = {one.runtime: one for one in fits_of(facts)}
    assert (found["gpu"].staying, found["gpu"].pieces) == (2, 1)
    assert (found["nnapi"].staying, found["nnapi"].pieces) == (4, 3)
    assert ("RELU", 3) in {(one.op, one.count) for one in found["gpu"].leaving if "largest" in one.reason}


def test_the_first_op_that_is_ready_decides_whose_the_next_part_is():
    """RELU, then an op beside it that is not taken and feeds the last: LiteRT runs the first RELU for itself."""
    relu = Operator(0, 0, "RELU", 1, False, (tensor(0),), (tensor(1),))
    other = Operator(0, 1, "ERF", 1, False, (tensor(0),), (tensor(2),))
    add = Operator(0, 2, "ADD", 1, False, (tensor(1), tensor(2)), (tensor(3),))
    assert partition([relu, other, add], [True, False, True]) == [[0], [2]]
    assert partition([other, relu, add], [False, True, True]) == [[1, 2]]


def test_the_edge_tpu_takes_nothing_after_the_first_op_it_does_not_take():
    facts = chain("RELU", "ERF", "RELU", "RELU")
    integers = [
        dataclasses.replace(
            one,
            inputs=tuple(dataclasses.replace(each, dtype="int8") for each in one.inputs),
            outputs=tuple(dataclasses.replace(each, dtype="int8") for each in one.outputs),
        )
        for one in facts.operators
    ]
    edge = next(one for one in fits_of(dataclasses.replace(facts, operators=integers)) if one.runtime == "edge_tpu")
    assert (edge.staying, edge.pieces) == (1, 1)


def op(*inputs: Operand, version: int = 1, **options: float) -> Operator:
    return Operator(0, 0, "OP", version, False, inputs, (tensor(9, inputs[0].dtype, inputs[0].shape),), options)


CONSTANT = tensor(1, "int32", (2,), constant=True, constant_bytes=8, values=(0, 2))


@pytest.mark.parametrize(
    ("rule", "operator", "reason"),
    [
        (Rule(max_version=2), op(tensor(0), version=3), "version 3"),
        (Rule(inputs=(2,)), op(tensor(0)), "1 inputs, 2 taken"),
        (Rule(computed_inputs=(1,)), op(tensor(0), tensor(1)), "2 inputs that are computed"),
        (Rule(dtypes=("int8",)), op(tensor(0)), "float32 values"),
        (Rule(dtypes_of={"1": ("int64",)}), op(tensor(0), CONSTANT), "input 1 is int32"),
        (Rule(ranks={"0": (4,)}), op(tensor(0)), "rank 2"),
        (Rule(max_rank=1), op(tensor(0)), "rank 2"),
        (Rule(inner_axes=1), op(tensor(0, shape=(2, 4))), "innermost 1"),
        (Rule(output_inner_axes=1), op(tensor(0, shape=(2, 4))), "innermost 1"),
        (Rule(max_elements=3), op(tensor(0)), "4 elements"),
        (Rule(constant=(1,)), op(tensor(0), tensor(1)), "input 1 is computed"),
        (Rule(computed=(0,)), op(CONSTANT), "input 0 is a constant"),
        (Rule(options={"beta": 1}), op(tensor(0), beta=2), "beta is 2, 1 taken"),
        (Rule(not_options={"axis": 0}), op(tensor(0), axis=0), "axis is 0"),
        (Rule(equal_options=("a", "b")), op(tensor(0), a=1, b=2), "a and b differ"),
        (Rule(values={"1": (0, 0)}), op(tensor(0), CONSTANT), "[0, 2], [0, 0] taken"),
        (Rule(starts_with={"1": (1,)}), op(tensor(0), CONSTANT), "begin with [1]"),
        (Rule(only_values={"1": (0,)}), op(tensor(0), CONSTANT), "only 0 taken"),
        (Rule(not_axes={"1": (0,)}), op(tensor(0), CONSTANT), "over axis 0"),
        (Rule(blockwise=False), op(tensor(0), tensor(1, "int4", blockwise=True)), "block by block"),
    ],
)
def test_a_broken_condition_says_what_was_found_and_what_is_taken(rule, operator, reason):
    assert reason in broken(operator, rule)
    assert broken(operator, Rule()) == ""
