"""ONNX graphs through the lowering, in the SavedModel and in LiteRT, against onnxruntime at batch 1, 2 and 5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lowering_jobs
import make_onnx_graphs as graphs
import pytest
from lowering_jobs import ModelOutcome

from convert.stages.base import StageResult, run_stage
from convert.stages.lower import OnnxToSavedModel
from verify.artifact import Artifact, Format
from verify.errors import InputSpecInvalid, ModelUnreadable, UnsupportedOp
from verify.signature import Signature
from verify.worker import Worker

RIGHT_DB = 110.0
"""float32 rounding over a few layers; a wrong axis or a wrong pad is below 30."""


Convert = Callable[..., ModelOutcome]


@pytest.fixture
def convert(worker: Worker, tmp_path: Path) -> Convert:
    def run(onnx_path: Path, **options: object) -> ModelOutcome:
        stage = OnnxToSavedModel(**{"lowering": "exact", **options}).to_json()
        outcome = worker.run(lowering_jobs.convert_and_compare, onnx_path=onnx_path, folder=tmp_path, stage=stage).value
        assert outcome.saved_model_db >= RIGHT_DB
        assert outcome.tflite_db >= RIGHT_DB
        return outcome

    return run


def test_a_cnn_classifier_has_no_transpose_and_every_activation_is_fused(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.classifier(tmp_path / "net.onnx"))

    assert "TRANSPOSE" not in outcome.tflite_ops
    assert not {"RELU", "RELU6", "MUL", "ADD"} & set(outcome.tflite_ops)
    assert outcome.tflite_ops["FULLY_CONNECTED"] == 2


def test_weights_are_trainable_variables_under_their_names(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.classifier(tmp_path / "net.onnx"))

    assert outcome.variables["first.weight"] == (3, 3, 3, 8)
    assert outcome.variables["dense.weight"] == (10, 96)
    assert set(outcome.variables) >= {"first.bias", "second.weight", "dense.bias", "head.weight"}
    assert outcome.trainable == len(outcome.variables)
    assert outcome.graph_bytes < 60_000


def test_a_large_constant_that_is_computed_is_a_weight_and_not_part_of_the_graph(
    convert: Convert, tmp_path: Path
) -> None:
    outcome = convert(graphs.large_mask(tmp_path / "net.onnx"))

    assert outcome.variables["mask"] == (512, 512)
    assert outcome.graph_bytes < 60_000


@pytest.mark.parametrize("trans_b", [0, 1])
def test_large_weights_are_saved_in_slices_and_are_the_same(worker: Worker, tmp_path: Path, trans_b: int) -> None:
    path = graphs.large_matrix(tmp_path / "net.onnx", trans_b=trans_b)

    outcome = worker.run(lowering_jobs.save_both_ways, onnx_path=path, folder=tmp_path).value

    assert outcome.data_files == (3, 1)
    assert outcome.same_variables
    assert outcome.same_tflite


def test_a_saved_model_can_be_trained_further(convert: Convert, worker: Worker, tmp_path: Path) -> None:
    convert(graphs.classifier(tmp_path / "net.onnx"))

    before, after = worker.run(lowering_jobs.one_training_step, saved_model=tmp_path / "saved_model").value

    assert after < before


def test_inputs_are_channels_last_and_the_batch_is_dynamic(convert: Convert, tmp_path: Path) -> None:
    image = convert(graphs.classifier(tmp_path / "net.onnx")).signature.input("image")

    assert image.shape == ("N", 16, 16, 3)
    assert image.permutation == (0, 2, 3, 1)


def test_an_input_can_keep_its_pytorch_layout(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.classifier(tmp_path / "net.onnx"), layout=("image=NCHW",))

    assert outcome.signature.input("image").shape == ("N", 3, 16, 16)
    assert outcome.tflite_ops["TRANSPOSE"] == 1


def test_an_image_that_comes_out_is_channels_last(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.segmenter(tmp_path / "net.onnx"))

    assert outcome.signature.output("mask").shape == ("N", 24, 24, 4)
    assert "TRANSPOSE" not in outcome.tflite_ops
    assert outcome.tflite_ops["CONV_2D"] + outcome.tflite_ops.get("DEPTHWISE_CONV_2D", 0) == 6
    assert "SPACE_TO_BATCH_ND" not in outcome.tflite_ops


def test_a_channel_shuffle_costs_one_transpose_of_the_groups(convert: Convert, tmp_path: Path) -> None:
    assert convert(graphs.channel_shuffle(tmp_path / "net.onnx")).tflite_ops["TRANSPOSE"] == 1


def test_a_tensor_and_its_transpose_are_not_taken_for_one_another(convert: Convert, tmp_path: Path) -> None:
    convert(graphs.rows_and_columns(tmp_path / "net.onnx"))


def test_attention_with_computed_sizes_keeps_its_static_sizes(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.attention(tmp_path / "net.onnx"))

    assert outcome.tflite_ops["BATCH_MATMUL"] == 2
    assert outcome.tflite_ops["TRANSPOSE"] <= 4
    assert not {"SHAPE", "PACK", "GATHER"} & set(outcome.tflite_ops)


def test_patches_become_tokens_without_a_transpose(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(graphs.patches(tmp_path / "net.onnx"))

    assert "TRANSPOSE" not in outcome.tflite_ops
    assert outcome.tflite_ops["GELU"] == 1


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "ceil_mode"),
    [(3, 2, 1, 0), (3, 2, 1, 1), (3, 2, 0, 1), (2, 2, 1, 0), (3, 1, 1, 0), (5, 3, 2, 1)],
)
def test_pools_are_exact_and_put_no_huge_number_in_the_graph(
    convert: Convert, tmp_path: Path, kernel: int, stride: int, pad: int, ceil_mode: int
) -> None:
    path = graphs.pools(tmp_path / "net.onnx", kernel=kernel, stride=stride, pad=pad, ceil_mode=ceil_mode)

    outcome = convert(path)

    assert not {"PADV2", "MIRROR_PAD", "TRANSPOSE"} & set(outcome.tflite_ops)


def _lower(worker: Worker, onnx_path: Path, out: Path, **options: object) -> StageResult:
    stage = OnnxToSavedModel(**options)
    artifact = Artifact(onnx_path, Format.ONNX, Signature((), ()), "")
    return worker.run(run_stage, stage=stage.to_json(), artifact=artifact, out=out).value


def test_unknown_ops_are_all_named_with_their_source_line(worker: Worker, tmp_path: Path) -> None:
    path = graphs.unknown_ops(tmp_path / "net.onnx")

    with pytest.raises(UnsupportedOp) as caught:
        _lower(worker, path, tmp_path / "out", lowering="exact")

    first = (
        "RandomNormalLike (node 'node_randomnormallike_0'), from net.py:7: x = torch.randn_like(x), and 1 more like it"
    )
    assert first in str(caught.value)
    assert "Bernoulli (node 'node_y')" in str(caught.value)
    assert "--lowering onnx2tf" in caught.value.fix
    assert not (tmp_path / "out").exists()


def test_a_layout_for_an_unknown_name_says_which_names_there_are(worker: Worker, tmp_path: Path) -> None:
    path = graphs.classifier(tmp_path / "net.onnx")

    with pytest.raises(InputSpecInvalid, match="picture") as caught:
        _lower(worker, path, tmp_path / "out", layout=("picture=NCHW",))

    assert "image, logits" in caught.value.fix


def test_a_file_that_is_no_onnx_is_unreadable(worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x08\x99 not a model")

    with pytest.raises(ModelUnreadable, match=r"net\.onnx"):
        _lower(worker, tmp_path / "net.onnx", tmp_path / "out")
