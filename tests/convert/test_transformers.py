"""Transformers from their configs: exact at batch 1, 2 and 5, in builtin ops, as few as there can be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import transformer_jobs
from transformer_jobs import Outcome

from verify.worker import Worker

RIGHT_DB = 100.0
SUBJECTS = Path(__file__).parent.parent / "subjects" / "transformers.py"

Convert = Callable[..., Outcome]


@pytest.fixture(scope="module")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Convert]:
    logs = tmp_path_factory.mktemp("transformers")
    with (
        Worker("torch", log_path=logs / "torch.log", preload=("torch",)) as torch_worker,
        Worker("tensorflow", log_path=logs / "tensorflow.log", preload=("tensorflow",)) as tensorflow_worker,
    ):

        def run(kind: str, *, masked_row: bool = False) -> Outcome:
            folder = tmp_path_factory.mktemp(kind)
            exporter = torch_worker.run(transformer_jobs.export, kind=kind, folder=folder, masked_row=masked_row).value
            outcome = tensorflow_worker.run(transformer_jobs.lower_and_compare, folder=folder).value
            assert exporter == "newer"
            assert outcome.onnx_db >= RIGHT_DB
            assert outcome.saved_model_db >= RIGHT_DB
            assert outcome.tflite_db >= RIGHT_DB
            assert "CUSTOM" not in outcome.tflite_ops  # Flex ops are custom ones
            return outcome

        yield run


def test_bert_takes_integers_and_looks_its_embeddings_up_with_gather_alone(convert: Convert) -> None:
    outcome = convert("Bert")

    assert outcome.tflite_ops["GATHER"] == 2  # the positions are known when it is converted
    assert outcome.tflite_ops["SOFTMAX"] == 2
    assert outcome.tflite_ops["GELU"] == 2
    assert outcome.tflite_ops["BATCH_MATMUL"] == 4
    assert not {"SELECT_V2", "LESS", "SHAPE", "PACK"} & set(outcome.tflite_ops)


def test_whisper_keeps_the_transposes_of_its_author_alone(convert: Convert) -> None:
    outcome = convert("WhisperEncoder")

    assert outcome.tflite_ops["CONV_2D"] == 2
    assert outcome.tflite_ops["GELU"] == 4
    assert outcome.tflite_ops["TRANSPOSE"] <= 1 + 2 * 4  # the spectrogram; query, key, value and result of each layer


def test_gpt_ties_its_head_and_knows_its_causal_mask(convert: Convert) -> None:
    outcome = convert("Gpt")

    assert outcome.tflite_ops["GATHER"] == 1
    assert outcome.tflite_ops["TRANSPOSE"] <= 2 * 4
    assert not {"SELECT_V2", "LESS", "RANGE", "SHAPE"} & set(outcome.tflite_ops)


@pytest.mark.parametrize("kind", ["Llama", "GroupedQueryLlama"])
def test_llama_rotates_with_constants_and_repeats_its_shared_heads_without_computing_a_shape(
    convert: Convert, kind: str
) -> None:
    outcome = convert(kind)

    assert not {"SIN", "COS", "RANGE", "SHAPE", "BROADCAST_TO", "SELECT_V2"} & set(outcome.tflite_ops)


@pytest.mark.parametrize(
    "kind",
    [
        "ComplexRotary",
        "TorchEncoder",
        "NormFirstEncoder",
        "EncoderDecoder",
        "CrossAttention",
        "SequenceFirstAttention",
        "FloatMaskAttention",
        "CausalAttention",
        "EinsumAttention",
    ],
)
def test_attention_in_every_spelling_is_exact(convert: Convert, kind: str) -> None:
    assert convert(kind).tflite_ops["SOFTMAX"] >= 1


def test_a_table_of_positions_is_resampled_when_it_is_converted(convert: Convert) -> None:
    assert convert("ResampledPositions").tflite_ops == {"ADD": 1}


@pytest.mark.parametrize("kind", ["BoolMaskEncoder", "Bert"])
def test_a_row_masked_throughout_is_zeros_as_in_torch(convert: Convert, kind: str) -> None:
    assert not convert(kind, masked_row=True).has_nan


@pytest.mark.slow
def test_integer_inputs_go_through_the_whole_command(tmp_path: Path) -> None:
    script = "import sys, torch; from subjects.transformers import Bert; torch.save(Bert().state_dict(), 'bert.pth')"
    tests = str(SUBJECTS.parent.parent)
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = [{tests!r}]; {script}"], cwd=tmp_path, check=True
    )
    inputs = ["ids=N,16:int64:0..999", "attention_mask=N,16:int64:0..1", "token_type_ids=N,16:int64:0..1"]
    options = [part for each in inputs for part in ("--input", each)]

    run = subprocess.run(
        [sys.executable, "-m", "convert", "pth2tflite", "bert.pth", "--arch", f"{SUBJECTS}:Bert", *options, "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["verdict"] == "pass"
