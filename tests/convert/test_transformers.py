"""Transformers from their configs: exact at batch 1, 2 and 5, in builtin ops."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import transformer_jobs
from transformer_jobs import Outcome

from verify.worker import Worker

RIGHT_DB = 100.0

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


@pytest.mark.parametrize(
    "kind",
    [
        "Bert",
        "BoolMaskEncoder",
        "MaskedFillEncoder",
        "WhisperEncoder",
        "Gpt",
        "Llama",
        "GroupedQueryLlama",
        "ComplexRotary",
        "TorchEncoder",
        "NormFirstEncoder",
        "CrossAttention",
        "SequenceFirstAttention",
        "FloatMaskAttention",
        "CausalAttention",
        "EinsumAttention",
    ],
)
def test_every_spelling_of_attention_is_exact(convert: Convert, kind: str) -> None:
    assert convert(kind).tflite_ops["SOFTMAX"] >= 1
