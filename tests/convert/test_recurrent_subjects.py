"""Recurrent nets and nets with control flow, from PyTorch to LiteRT, right at batch 1, 2 and 5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lowering_jobs
import pytest
from lowering_jobs import ModelOutcome
from subjects import recurrent
from test_export_module import export, worst_sqnr_db
from torch import nn

from convert.stages.lower import OnnxToSavedModel
from verify.errors import ExportFailed
from verify.worker import Worker

RIGHT_DB = 100.0

Convert = Callable[[type[nn.Module]], ModelOutcome]


@pytest.fixture
def convert(worker: Worker, tmp_path: Path) -> Convert:
    def run(kind: type[nn.Module]) -> ModelOutcome:
        module, inputs = kind().eval(), kind.inputs  # type: ignore[attr-defined]
        path = tmp_path / "net.onnx"
        assert export(module, path, inputs=inputs).exporter == "newer"
        assert worst_sqnr_db(module, path, inputs) >= RIGHT_DB
        stage = OnnxToSavedModel(lowering="exact").to_json()
        outcome = worker.run(lowering_jobs.convert_and_compare, onnx_path=path, folder=tmp_path, stage=stage).value
        assert outcome.saved_model_db >= RIGHT_DB
        assert outcome.tflite_db >= RIGHT_DB
        return outcome

    return run


def test_an_lstm_without_given_states_is_written_out_from_nothing(convert: Convert) -> None:
    outcome = convert(recurrent.LstmTagger)

    assert not {"WHILE", "TRANSPOSE", "SHAPE", "FILL"} & set(outcome.tflite_ops)
    assert outcome.tflite_ops["FULLY_CONNECTED"] == 1 + 11 + 1


def test_a_long_gru_in_both_directions_is_two_loops(convert: Convert) -> None:
    assert convert(recurrent.BiGruTagger).tflite_ops["WHILE"] == 2


def test_a_decoder_step_gives_its_states_back_under_their_names(convert: Convert) -> None:
    outcome = convert(recurrent.CaptionStep)

    assert [spec.name for spec in outcome.signature.inputs] == ["word", "hidden", "cell"]
    assert [spec.name for spec in outcome.signature.outputs] == ["scores", "next_hidden", "next_cell"]


def test_torch_cond_becomes_an_if_of_two_modules(convert: Convert) -> None:
    assert convert(recurrent.ModularNet).tflite_ops["IF"] == 1


def test_torchs_while_loop_becomes_a_while(convert: Convert) -> None:
    assert convert(recurrent.SettlingNet).tflite_ops["WHILE"] == 1


def test_a_tree_whose_shape_is_fixed_is_written_out(convert: Convert) -> None:
    assert not {"IF", "WHILE"} & set(convert(recurrent.TreeNet).tflite_ops)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        recurrent.StackedBiLstm,
        recurrent.GruClassifier,
        recurrent.PlainRnn,
        recurrent.NameRnn,
        recurrent.CharRnn,
        recurrent.LstmCellLoop,
        recurrent.CaptionEncoder,
        recurrent.Captioner,
    ],
)
def test_every_other_recurrent_subject_is_right(convert: Convert, kind: type[nn.Module]) -> None:
    convert(kind)


def test_a_tree_that_the_data_shapes_is_refused_with_its_line_and_a_way_out(tmp_path: Path) -> None:
    kind = recurrent.ShiftReduceTree
    with pytest.raises(ExportFailed) as caught:
        export(kind().eval(), tmp_path / "net.onnx", inputs=kind.inputs)
    assert "recurrent.py" in str(caught.value)
    assert "nodes[left], nodes[right]" in str(caught.value)
    assert "make the tree, the lengths or the number of steps an argument" in caught.value.fix
