"""Which op of a wrong stretch is named: what leads to a right layer is cleared, a missing step is told as missing."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from verify.batches import write_batch
from verify.localise.compare import compare_layers
from verify.localise.graph import Graph, Op
from verify.localise.recording import Recording, TensorStore
from verify.localise.sizes import first_resized, told_size
from verify.localise.why import Details, difference
from verify.opening import open_model

WEIGHTS = ("key", "query", "other", "last")


def attention(**other: str | np.ndarray) -> onnx.ModelProto:
    """Two branches from one norm, a ReLU, scores; ``other`` is an operator or a weight that is another one."""
    random = np.random.default_rng(0)
    weights = {name: random.normal(size=(5, 5)).astype(np.float32) for name in WEIGHTS} | {
        name: value for name, value in other.items() if not isinstance(value, str)
    }
    nodes = [
        helper.make_node("Shape", ["rows"], ["shape"]),
        helper.make_node("Tanh", ["rows"], ["normed"]),
        helper.make_node("MatMul", ["normed", "key"], ["keys"]),
        helper.make_node("MatMul", ["normed", "query"], ["queries"]),
        helper.make_node(str(other.get("relu", "Relu")), ["queries"], ["positive"]),
        helper.make_node("Reshape", ["positive", "shape"], ["shaped"]),
        helper.make_node("Add", ["keys", "shaped"], ["sum"]),
        helper.make_node("MatMul", ["sum", "last"], ["scores"]),
    ]
    return _model(nodes, weights)


def _model(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["N", 5, 5])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 5, 5])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def culprit(worker, folder, right: onnx.ModelProto, wrong: onnx.ModelProto):
    for name, model in (("right", right), ("wrong", wrong)):
        onnx.save(model, str(folder / f"{name}.onnx"))
    rows = np.random.default_rng(1).normal(size=(4, 5, 5)).astype(np.float32)
    write_batch(folder / "batches" / "batch_000.npz", {"rows": rows})
    expected, actual = (open_model(folder / f"{name}.onnx", ()).artifact for name in ("right", "wrong"))
    found = worker.run(compare_layers, expected=expected, actual=actual, batches=folder / "batches").value.culprit
    assert found is not None
    return found


def test_a_missing_activation_is_told_as_missing(runtime_worker, tmp_path):
    found = culprit(runtime_worker, tmp_path, attention(), attention(relu="Identity"))
    assert (found.layer.op, found.layer.op_index) == ("Identity", 4)
    assert found.explanation.startswith("The trusted model has Relu 4 here, and this model has nothing that does it.")


@pytest.mark.parametrize(("weight", "at"), [("key", 2), ("query", 3), ("last", 7)])
def test_a_wrong_weight_is_named_though_sizes_are_read_beside_it(weight, at, runtime_worker, tmp_path):
    wrong = np.random.default_rng(2).normal(size=(5, 5)).astype(np.float32)
    found = culprit(runtime_worker, tmp_path, attention(), attention(**{weight: wrong}))
    assert (found.layer.op, found.layer.op_index) == ("MatMul", at)


def sums(axis: int) -> onnx.ModelProto:
    """Sums over rows and over columns: with a wrong axis, the one is what the other should be."""
    axes = {"first_axis": np.array([axis]), "second_axis": np.array([2])}
    nodes = [
        helper.make_node("Tanh", ["rows"], ["softened"]),
        helper.make_node("ReduceSum", ["softened", "first_axis"], ["first"], keepdims=0),
        helper.make_node("Sin", ["first"], ["sine"]),
        helper.make_node("ReduceSum", ["softened", "second_axis"], ["second"], keepdims=0),
        helper.make_node("Unsqueeze", ["sine", "first_back"], ["column"]),
        helper.make_node("Unsqueeze", ["second", "second_back"], ["row"]),
        helper.make_node("Mul", ["column", "row"], ["scores"]),
    ]
    return _model(nodes, {**axes, "first_back": np.array([2]), "second_back": np.array([1])})


def test_an_op_that_gives_what_another_should_is_named(runtime_worker, tmp_path):
    found = culprit(runtime_worker, tmp_path, sums(1), sums(2))
    assert (found.layer.op, found.layer.op_index) == ("ReduceSum", 1)


def sliced(end: int) -> onnx.ModelProto:
    """The first columns, times a matrix that takes four."""
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Tanh", ["rows"], ["softened"]),
        helper.make_node("Slice", ["softened", "start", "end", "axis"], ["columns"]),
        helper.make_node("Relu", ["columns"], ["positive"]),
        helper.make_node("MatMul", ["positive", "weight"], ["scores"]),
    ]
    ends = {"start": np.array([0]), "end": np.array([end]), "axis": np.array([2])}
    return _model(nodes, {**ends, "weight": random.normal(size=(4, 5)).astype(np.float32)})


def test_an_op_that_gives_another_size_is_told_with_both_sizes(runtime_worker, tmp_path):
    right, wrong = sliced(4), sliced(4)
    wrong.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.array([3]), "end"))
    found = culprit(runtime_worker, tmp_path, right, wrong)
    assert (found.layer.op, found.layer.op_index) == ("Slice", 1)
    assert "gives 1×5×3 where 1×5×4 is expected" in found.explanation


def expanded(axis: int) -> onnx.ModelProto:
    """Rows plus zeros of their size."""
    nodes = [
        helper.make_node("Shape", ["rows"], ["shape"]),
        helper.make_node("Concat", ["shape"], ["joined"], axis=axis),
        helper.make_node("Expand", ["zero", "joined"], ["zeros"]),
        helper.make_node("Add", ["rows", "zeros"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["scores"]),
    ]
    return _model(nodes, {"zero": np.zeros(1, np.float32)})


def test_an_op_that_cannot_run_on_what_is_as_declared_is_named(runtime_worker, tmp_path):
    wrong = expanded(0)
    wrong.graph.node[1].attribute[0].i = 1
    found = culprit(runtime_worker, tmp_path, expanded(0), wrong)
    assert (found.layer.op, found.layer.op_index) == ("Concat", 1)
    assert found.explanation.startswith("Concat 1 cannot run on what it reads")


def test_the_first_op_that_leaves_the_declared_sizes_is_told(tmp_path):
    ops = tuple(Op(at, kind, (str(at),), (str(at + 1),)) for at, kind in enumerate(("CONV_2D", "PAD", "RESHAPE")))
    sizes = {"0": (None, 8, 8, 3), "1": (None, 8, 8, 4), "2": (None, 9, 9, 4)}
    graph = Graph(ops, {"image": "0"}, {"scores": "3"}, sizes=sizes)
    own = Recording(graph, TensorStore(tmp_path))
    for tensor, shape in {"0": (1, 1, 8, 8, 3), "1": (1, 1, 4, 4, 4), "2": (1, 1, 5, 5, 4)}.items():
        own.keep(tensor, np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    assert first_resized(graph, own, ops[2]) is ops[0]
    told = told_size(graph, own, ops[0], ops[2])
    assert told == "CONV_2D 0 gives 1×4×4×4 where the file declares ?×8×8×4; RESHAPE 2 cannot run on that."


def test_what_is_another_in_the_op_is_told(runtime_worker, tmp_path):
    random = np.random.default_rng(0)
    weights = {name: random.normal(size=(5, 5)).astype(np.float32) for name in WEIGHTS}
    found = culprit(runtime_worker, tmp_path, attention(), attention(key=weights["key"] * np.float32(1.5)))
    assert found.explanation.endswith("Its input 1 is the trusted op's times 1.5.")


def test_options_and_constants_are_compared():
    gain = np.arange(1, 13, dtype=np.float32)
    other = gain.copy()
    other[3] += 2
    trusted = Details("ONNX", {"pads": "[1, 1]", "group": "1"}, {"input 1": gain, "input 2": gain[:3]})
    judged = Details("ONNX", {"pads": "[0, 2]", "group": "1"}, {"input 1": other, "input 2": gain[:3] + 1})
    assert difference(trusted, judged) == (
        "Its option pads is [0, 2], the trusted op's is [1, 1]. Of its input 1, 1 of 12 values are not the trusted "
        "op's, the furthest by 2 (the trusted op's go up to 12). Its input 2 is [2, 3, 4], the trusted op's is "
        "[1, 2, 3]."
    )
    assert not difference(trusted, trusted)
    assert not difference(trusted, Details("TFLite", {"padding": "0"}, {"input 1": gain}))
