"""Recurrent ops and subgraphs through the lowering, in the SavedModel and in LiteRT, against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lowering_jobs
import make_recurrent_graphs as graphs
import pytest
from lowering_jobs import ModelOutcome

from convert.stages.lower import OnnxToSavedModel
from quantize.jobs import make_dynamic_int8, make_float16
from verify.errors import UnsupportedOp
from verify.worker import Worker

RIGHT_DB = 110.0


Convert = Callable[..., ModelOutcome]


@pytest.fixture
def convert(worker: Worker, tmp_path: Path) -> Convert:
    def run(onnx_path: Path) -> ModelOutcome:
        stage = OnnxToSavedModel(lowering="exact").to_json()
        outcome = worker.run(lowering_jobs.convert_and_compare, onnx_path=onnx_path, folder=tmp_path, stage=stage).value
        assert outcome.saved_model_db >= RIGHT_DB
        assert outcome.tflite_db >= RIGHT_DB
        return outcome

    return run


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_every_direction_is_right(convert: Convert, tmp_path: Path, op: str, direction: str) -> None:
    outcome = convert(graphs.recurrent(tmp_path / "net.onnx", op, direction=direction))

    assert "WHILE" not in outcome.tflite_ops


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_a_dynamic_time_becomes_a_while(convert: Convert, tmp_path: Path, op: str) -> None:
    outcome = convert(graphs.recurrent(tmp_path / "net.onnx", op, time="T", direction="bidirectional"))

    assert outcome.tflite_ops["WHILE"] == 2


def test_a_file_with_a_loop_can_be_made_smaller(convert: Convert, tmp_path: Path) -> None:
    convert(graphs.recurrent(tmp_path / "net.onnx", "GRU", time="T"))

    for name, make in (("float16", make_float16), ("dynamic_int8", make_dynamic_int8)):
        make(tmp_path / "model.tflite", tmp_path / f"{name}.tflite")
        assert (tmp_path / f"{name}.tflite").stat().st_size > 0


def test_a_long_time_is_walked_several_steps_a_turn(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.recurrent(tmp_path / "net.onnx", "LSTM", time=66, direction="reverse"))

    assert outcome.tflite_ops["WHILE"] == 1
    assert outcome.tflite_ops["FULLY_CONNECTED"] == 1 + 22


def test_batch_first_sequences_are_not_transposed(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.batch_first_lstm(tmp_path / "net.onnx"))

    assert "TRANSPOSE" not in outcome.tflite_ops
    assert outcome.tflite_ops["FULLY_CONNECTED"] == 8


def test_a_long_batch_first_sequence_is_not_transposed(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.batch_first_lstm(tmp_path / "net.onnx", time=50, hidden=64))

    assert "TRANSPOSE" not in outcome.tflite_ops
    assert outcome.tflite_ops["WHILE"] == 1


def test_the_last_states_alone_need_no_room_for_the_others(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.recurrent(tmp_path / "net.onnx", "LSTM", outputs="h", time="T"))

    assert outcome.tflite_ops["FILL"] == 1


def test_a_relu_rnn_and_a_gru_with_the_reset_first(convert: Convert, tmp_path: Path) -> None:
    convert(graphs.recurrent(tmp_path / "net.onnx", "RNN", activations=["Relu"]))
    convert(graphs.recurrent(tmp_path / "net.onnx", "GRU", linear_before_reset=1, time="T"))
    convert(graphs.recurrent(tmp_path / "net.onnx", "GRU", linear_before_reset=1))


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_sequences_of_different_lengths_stop_where_they_end(convert: Convert, tmp_path: Path, direction: str) -> None:
    convert(graphs.ragged_gru(tmp_path / "net.onnx", direction))


def test_what_is_not_defined_alike_everywhere_is_refused(worker: Worker, tmp_path: Path) -> None:
    for attributes, reason in (
        ({"clip": 3.0}, "clip"),
        ({"activations": ["Affine", "Tanh", "Tanh"]}, "activation 'Affine'"),
        ({"input_forget": 1}, "input_forget=1"),
    ):
        path = graphs.recurrent(tmp_path / "net.onnx", "LSTM", **attributes)
        with pytest.raises(UnsupportedOp, match=reason):
            worker.run(
                lowering_jobs.convert_and_compare,
                onnx_path=path,
                folder=tmp_path,
                stage=OnnxToSavedModel(lowering="exact").to_json(),
            )


def test_a_branch_chosen_by_data_becomes_an_if(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.if_by_data(tmp_path / "net.onnx"))

    assert outcome.tflite_ops["IF"] == 1
    assert {"then_branch.weight", "else_branch.weight"} <= set(outcome.variables)


def test_a_branch_that_is_known_leaves_no_if(convert: Convert, tmp_path: Path) -> None:
    assert convert(graphs.if_by_constant(tmp_path / "net.onnx")).tflite_ops == {"TANH": 1}


def test_a_short_loop_is_written_out(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.loop(tmp_path / "net.onnx", turns=4))

    assert "WHILE" not in outcome.tflite_ops
    assert outcome.tflite_ops["FULLY_CONNECTED"] == 4


def test_a_long_loop_becomes_a_while_that_collects(convert: Convert, tmp_path: Path) -> None:
    assert convert(graphs.loop(tmp_path / "net.onnx", turns=200)).tflite_ops["WHILE"] == 1


def test_a_loop_with_a_condition_of_its_own_becomes_a_while(convert: Convert, tmp_path: Path) -> None:
    path = graphs.loop(tmp_path / "net.onnx", turns=9, dynamic_turns=True, collects=False)

    assert convert(path).tflite_ops["WHILE"] == 1


def test_a_loop_that_collects_until_its_condition_fails_is_refused(worker: Worker, tmp_path: Path) -> None:
    path = graphs.loop(tmp_path / "net.onnx", turns=None, dynamic_turns=True)

    with pytest.raises(UnsupportedOp, match="how many turns there are is decided while it runs"):
        worker.run(
            lowering_jobs.convert_and_compare,
            onnx_path=path,
            folder=tmp_path,
            stage=OnnxToSavedModel(lowering="exact").to_json(),
        )


def test_a_carried_tensor_may_grow(convert: Convert, tmp_path: Path) -> None:
    assert convert(graphs.growing_loop(tmp_path / "net.onnx")).tflite_ops["WHILE"] == 1


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("time", [6, 300])
def test_a_scan_goes_along_its_axes_in_its_directions(
    convert: Convert, tmp_path: Path, time: int, backwards: bool
) -> None:
    outcome = convert(graphs.scan(tmp_path / "net.onnx", time=time, backwards=backwards))

    assert outcome.tflite_ops.get("WHILE", 0) == (time == 300)


def test_a_python_list_is_resolved_while_the_graph_is_built(convert: Convert, tmp_path: Path) -> None:
    convert(graphs.list_of_slices(tmp_path / "net.onnx"))


def test_unknown_ops_in_subgraphs_are_named_before_anything_is_traced(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOp, match=r"Bernoulli \(node 'inner'\)"):
        worker.run(
            lowering_jobs.convert_and_compare,
            onnx_path=graphs.unknown_op_in_a_branch(tmp_path / "net.onnx"),
            folder=tmp_path,
            stage=OnnxToSavedModel(lowering="exact").to_json(),
        )
