from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convert.stages.base import run_stage
from convert.stages.to_tflite import SavedModelToTflite
from verify.artifact import Artifact, Format
from verify.errors import ContractBroken, ModelUnreadable, UnsupportedOp
from verify.runners.tflite_inspect import op_counts
from verify.signature import Signature, TensorSpec
from verify.worker import Worker

NET = Signature(
    inputs=(TensorSpec("image", "float32", ("N", 8, 6, 3), (0, 2, 3, 1)), TensorSpec("token", "int32", ("N",))),
    outputs=(
        TensorSpec("logits", "float32", ("N", 4)),
        TensorSpec("features", "float32", ("N", 8, 6, 8), (0, 2, 3, 1)),
    ),
)
FLEX = Signature((TensorSpec("x", "float32", ("N", 4)),), (TensorSpec("y", "float32", ("N", 4)),))


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved_models")
    script = Path(__file__).with_name("make_saved_models.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def compile_model(models, tmp_path_factory):
    """``compile_model("net", NET)`` runs the stage in a TensorFlow worker."""
    folder = tmp_path_factory.mktemp("compiled")
    with Worker("tensorflow", log_path=folder / "log", preload=("tensorflow",)) as worker:

        def compile_one(name: str, signature: Signature) -> Artifact:
            artifact = Artifact(models / name, Format.SAVED_MODEL, signature, "0" * 64)
            out = folder / f"{name}_{len(list(folder.iterdir()))}.tflite"
            outcome = worker.run(run_stage, stage=SavedModelToTflite().to_json(), artifact=artifact, out=out)
            return outcome.value.artifact

        yield compile_one


def run(path: Path, batch: int) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    random = np.random.default_rng(batch)
    signature = Interpreter(str(path)).get_signature_runner("serving_default")
    image = random.standard_normal((batch, 8, 6, 3), dtype=np.float32)
    return signature(image=image, token=random.integers(0, 10, batch).astype(np.int32))


def test_names_layouts_dtypes_and_the_batch_axis_survive(compile_model):
    assert compile_model("net", NET).signature == NET


def test_the_compiled_file_runs_at_batch_1_2_and_5(compile_model):
    made = compile_model("net", NET)
    for batch in (1, 2, 5):
        assert {name: value.shape for name, value in run(made.path, batch).items()} == {
            "logits": (batch, 4),
            "features": (batch, 8, 6, 8),
        }


def test_driving_the_compiler_directly_gives_what_the_public_converter_gives(compile_model, models):
    made = compile_model("net", NET)
    assert op_counts(made.path) == op_counts(models / "public.tflite")
    for name, value in run(made.path, 3).items():
        np.testing.assert_array_equal(value, run(models / "public.tflite", 3)[name])


def test_an_op_that_needs_flex_is_refused_by_name_and_place(compile_model, models):
    with pytest.raises(UnsupportedOp, match=r"not a TFLite builtin: tf\.Erf \(at gelu_3\)") as refusal:
        compile_model("flex", FLEX)
    assert "opset 20" in refusal.value.fix
    assert not list(models.parent.rglob("flex*.tflite"))


def test_a_signature_that_the_file_does_not_keep_is_an_error(compile_model):
    wrong = dataclasses.replace(NET, inputs=(dataclasses.replace(NET.inputs[0], shape=(1, 8, 6, 3)), NET.inputs[1]))
    with pytest.raises(ContractBroken, match=r"inputs are image float32\[N, 8, 6, 3\].*declares image float32\[1, 8"):
        compile_model("net", wrong)


def test_a_folder_without_a_saved_model_is_an_error(compile_model):
    with pytest.raises(ModelUnreadable, match=r"expected a folder with a saved_model\.pb"):
        compile_model("absent", NET)
