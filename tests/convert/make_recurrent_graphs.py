"""Small ONNX graphs with recurrent ops and with subgraphs, for tests of the lowering."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from make_onnx_graphs import Graph
from onnx import TensorProto, helper

FEATURES, HIDDEN = 6, 8
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(path: Path, op: str, *, time: int | str = 7, outputs: str = "y,h", **attributes: object) -> Path:
    """One op on ``(time, batch, 6)``, its initial states zero."""
    g = Graph()
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    gates = _GATES[op]
    batch_first = attributes.get("layout") == 1
    x = g.input("x", ["N", time, FEATURES] if batch_first else [time, "N", FEATURES])
    weights = [
        g.weight("w", directions, gates * HIDDEN, FEATURES),
        g.weight("r", directions, gates * HIDDEN, HIDDEN),
        g.weight("b", directions, 2 * gates * HIDDEN),
    ]
    names = ["y" if "y" in outputs else "", "h" if "h" in outputs else ""]
    g.node(op, x, *weights, out=names, hidden_size=HIDDEN, **attributes)
    if "y" in outputs:
        g.output("y", ["N", time, directions, HIDDEN] if batch_first else [time, directions, "N", HIDDEN])
    if "h" in outputs:
        g.output("h", ["N", directions, HIDDEN] if batch_first else [directions, "N", HIDDEN])
    return g.save(path)


def batch_first_lstm(path: Path, *, time: int = 7, hidden: int = HIDDEN) -> Path:
    """As torch exports ``nn.LSTM(batch_first=True)`` with states given: Transpose, LSTM, Squeeze, Transpose."""
    g = Graph()
    x = g.node("Transpose", g.input("x", ["N", time, FEATURES]), perm=[1, 0, 2])
    h, c = (g.node("Unsqueeze", g.input(n, ["N", hidden]), g.constant(f"{n}_axis", [0])) for n in ("h0", "c0"))
    weights = [
        g.weight("w", 1, 4 * hidden, FEATURES),
        g.weight("r", 1, 4 * hidden, hidden),
        g.weight("b", 1, 8 * hidden),
    ]
    y = g.node("LSTM", x, *weights, "", h, c, out=["sequence", "", "cell"], hidden_size=hidden)
    g.node("Transpose", g.node("Squeeze", y, g.constant("axis", [1])), perm=[1, 0, 2], out="y")
    g.node("Identity", "cell", out="c")
    g.output("y", ["N", time, hidden])
    g.output("c", [1, "N", hidden])
    return g.save(path)


def ragged_gru(path: Path, direction: str) -> Path:
    """Sequences of different lengths, which are an input."""
    g = Graph()
    weights = [g.weight("w", 1, 3 * HIDDEN, FEATURES), g.weight("r", 1, 3 * HIDDEN, HIDDEN)]
    x = g.input("x", [7, "N", FEATURES])
    lengths = g.input("lengths", ["N"])
    lengths = g.node("Cast", g.node("Mod", g.node("Abs", g.node("Mul", lengths, g.constant("three", 3, np.float32))),
        g.constant("seven", 7, np.float32), fmod=1), to=TensorProto.INT32)  # fmt: skip
    g.node("GRU", x, *weights, "", lengths, out=["y", "h"], hidden_size=HIDDEN, direction=direction)
    g.output("y", [7, 1, "N", HIDDEN])
    g.output("h", [1, "N", HIDDEN])
    return g.save(path)


def subgraph(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[tuple[str, int, Sequence[int | str]]] = (),
    outputs: Sequence[tuple[str, int, Sequence[int | str]]] = (),
    weights: Sequence[onnx.TensorProto] = (),
) -> onnx.GraphProto:
    """A graph for an attribute; inputs and outputs are (name, element type, shape)."""
    infos = [[helper.make_tensor_value_info(*entry) for entry in entries] for entries in (inputs, outputs)]
    return helper.make_graph(list(nodes), name, infos[0], infos[1], list(weights))


def if_by_data(path: Path) -> Path:
    """Two branches, each a Conv with weights of its own on an image from outside, chosen by the sum of the input."""
    g = Graph()
    x = g.conv(g.input("image", ["N", 3, 8, 8]), "stem", 4, 3)
    condition = g.node("Greater", g.node("ReduceSum", x, keepdims=0), g.constant("zero", 0, np.float32))
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Sigmoid")):
        weight = g.weight(f"{name}.weight", 5, 4, 3, 3)
        inside = [
            helper.make_node("Conv", [x, weight], [f"{name}_conv"], pads=[1, 1, 1, 1]),
            helper.make_node(op, [f"{name}_conv"], [f"{name}_out"]),
        ]
        branches[name] = subgraph(name, inside, (), [(f"{name}_out", TensorProto.FLOAT, ["N", 5, 8, 8])])
    g.node("If", condition, out="y", **branches)
    g.output("y", ["N", 5, 8, 8])
    return g.save(path)


def if_by_constant(path: Path) -> Path:
    """A condition that is known; the other branch could not even run."""
    g = Graph()
    x = g.input("x", ["N", 4])
    chosen = subgraph("chosen", [helper.make_node("Tanh", [x], ["then_out"])], (), [("then_out", 1, ["N", 4])])
    other = subgraph("other", [helper.make_node("Sqrt", [x], ["else_out"])], (), [("else_out", 1, ["N", 4])])
    g.node("If", g.constant("yes", True, np.bool_), out="y", then_branch=chosen, else_branch=other)
    g.output("y", ["N", 4])
    return g.save(path)


def loop(path: Path, *, turns: int | None, dynamic_turns: bool = False, collects: bool = True) -> Path:
    """``h = tanh(h·W + image bias)`` again and again, W from outside; every h is collected."""
    g = Graph()
    x = g.input("x", ["N", 8])
    weight = g.weight("w", 8, 8)
    nodes = [
        helper.make_node("MatMul", ["h_in", weight], ["product"]),
        helper.make_node("Add", ["product", x], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["h_out"]),
        helper.make_node("Identity", ["h_out"], ["item"]),
    ]
    inputs = [("i", TensorProto.INT64, []), ("go", TensorProto.BOOL, []), ("h_in", TensorProto.FLOAT, ["N", 8])]
    outputs = [("go_on", TensorProto.BOOL, []), ("h_out", TensorProto.FLOAT, ["N", 8])]
    if dynamic_turns:
        nodes += [
            helper.make_node("ReduceSum", ["h_out"], ["total"], keepdims=0),
            helper.make_node("Less", ["total", g.constant("limit", 1.5, np.float32)], ["go_on"]),
        ]
    else:
        nodes.append(helper.make_node("Identity", ["go"], ["go_on"]))
    body = subgraph("body", nodes, inputs, [*outputs, *([("item", TensorProto.FLOAT, ["N", 8])] if collects else [])])
    count = "" if turns is None else g.constant("turns", turns)
    start = g.node("Mul", x, g.constant("half", 0.5, np.float32))
    outs = ["h", "all"] if collects else ["h"]
    g.node("Loop", count, g.constant("yes", True, np.bool_), start, out=outs, body=body)
    g.output("h", ["N", 8])
    if collects:
        g.output("all", [turns if turns is not None else "turns", "N", 8])
    return g.save(path)


def growing_loop(path: Path) -> Path:
    """A carried tensor that is one column wider after every turn, with a number of turns too large to write out."""
    g = Graph()
    x = g.input("x", ["N", 3])
    nodes = [
        helper.make_node("Concat", ["grown", x], ["wider"], axis=1),
        helper.make_node("Identity", ["go"], ["go_on"]),
    ]
    inputs = [
        ("i", TensorProto.INT64, []),
        ("go", TensorProto.BOOL, []),
        ("grown", TensorProto.FLOAT, ["N", "columns"]),
    ]
    outputs = [("go_on", TensorProto.BOOL, []), ("wider", TensorProto.FLOAT, ["N", "more"])]
    body = subgraph("body", nodes, inputs, outputs)
    g.node("Loop", g.constant("turns", 300), g.constant("yes", True, np.bool_), x, out="grown_out", body=body)
    g.node("ReduceSum", "grown_out", g.constant("axes", [1]), out="y")
    g.output("y", ["N", 1])
    return g.save(path)


def scan(path: Path, *, time: int = 6, backwards: bool = False) -> Path:
    """A running sum over axis 1, weighted from outside; the sums are stacked along axis 2."""
    g = Graph()
    x = g.input("x", ["N", time, 5])
    weight = g.weight("w", 5)
    nodes = [
        helper.make_node("Mul", ["part", weight], ["weighted"]),
        helper.make_node("Add", ["sum_in", "weighted"], ["sum_out"]),
        helper.make_node("Identity", ["sum_out"], ["item"]),
    ]
    tensors = [(name, TensorProto.FLOAT, ["N", 5]) for name in ("sum_in", "part", "sum_out", "item")]
    body = subgraph("body", nodes, tensors[:2], tensors[2:])
    start = g.node("Mul", g.node("ReduceMax", x, g.constant("axes", [1]), keepdims=0), g.constant("two", 2, np.float32))
    directions = {"scan_input_directions": [1], "scan_output_directions": [1]} if backwards else {}
    g.node("Scan", start, x, out=["sum", "all"], body=body, num_scan_inputs=1, scan_input_axes=[1],
        scan_output_axes=[2], **directions)  # fmt: skip
    g.output("sum", ["N", 5])
    g.output("all", ["N", 5, time])
    return g.save(path)


def list_of_slices(path: Path) -> Path:
    """SplitToSequence, SequenceAt, SequenceInsert, ConcatFromSequence: a Python list in a scripted model."""
    g = Graph()
    x = g.input("x", ["N", 4, 3])
    parts = g.node("SplitToSequence", x, axis=1, keepdims=0)
    last = g.node("SequenceAt", parts, g.constant("last", -1))
    more = g.node("SequenceInsert", parts, g.node("Tanh", last), g.constant("front", 0))
    g.node("ConcatFromSequence", more, axis=1, new_axis=1, out="y")
    g.output("y", ["N", 5, 3])
    return g.save(path)


def unknown_op_in_a_branch(path: Path) -> Path:
    """An op that no lowering knows, inside a subgraph."""
    g = Graph()
    x = g.input("x", ["N", 4, 4])
    condition = g.node("Greater", g.node("ReduceSum", x, keepdims=0), g.constant("zero", 0, np.float32))
    one = subgraph(
        "one", [helper.make_node("Bernoulli", [x], ["one_out"], name="inner")], (), [("one_out", 1, ["N", 4, 4])]
    )
    other = subgraph("other", [helper.make_node("Relu", [x], ["other_out"])], (), [("other_out", 1, ["N", 4, 4])])
    g.node("If", condition, out="y", then_branch=one, else_branch=other)
    g.output("y", ["N", 4, 4])
    return g.save(path)
