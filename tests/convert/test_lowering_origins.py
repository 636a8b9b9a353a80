"""PyTorch module names, from the exporter's metadata through the SavedModel to the ops of the TFLite file."""

from __future__ import annotations

import json
from pathlib import Path

import lowering_jobs
import make_onnx_graphs as graphs
import onnx
import pytest

from convert.stages.lower import OnnxToSavedModel
from quantize.operators import operators
from quantize.selection import select
from verify.modules import modules_beside
from verify.worker import Worker


def with_scopes(path: Path) -> Path:
    """The graph with metadata as torch writes it: ``features.N`` up to the Flatten, then ``head.N``."""
    model = onnx.load(path)
    flattened = [node.op_type for node in model.graph.node].index("Flatten")
    for number, node in enumerate(model.graph.node):
        top = "features" if number < flattened else "head"
        scopes = str(["", top, f"{top}.{number}", node.op_type.lower()])
        node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
    onnx.save(model, path)
    return path


@pytest.fixture
def converted(worker: Worker, tmp_path: Path) -> Path:
    """``net_float32.tflite`` with its SavedModel beside it."""
    source = with_scopes(graphs.classifier(tmp_path / "net.onnx"))
    stage = OnnxToSavedModel(lowering="exact").to_json()
    worker.run(lowering_jobs.convert_and_compare, onnx_path=source, folder=tmp_path, stage=stage)
    (tmp_path / "saved_model").rename(tmp_path / "net_saved_model")
    return (tmp_path / "model.tflite").rename(tmp_path / "net_float32.tflite")


def test_every_op_that_computes_knows_its_module(converted: Path) -> None:
    found = operators(converted, modules_beside(converted))
    computing = [
        each for each in found if each.op in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D"}
    ]
    assert computing
    assert all(each.modules for each in computing)
    assert all(path.startswith("features.") for each in computing if "CONV" in each.op for path in each.modules)


def test_an_op_that_gives_an_output_of_the_model_knows_its_module(converted: Path) -> None:
    """The compiler names such a tensor after the signature, not after an op."""
    found = operators(converted, modules_beside(converted))
    assert any(path.startswith("head.") for path in found[-1].modules)


def test_a_module_chooses_its_ops(converted: Path) -> None:
    among = operators(converted, modules_beside(converted))
    assert {each.op for each in select("head", among)} >= {"FULLY_CONNECTED"}
    assert "FULLY_CONNECTED" not in {each.op for each in select("features.*", among)}
    assert len([each for each in select("features.*", among) if each.op == "CONV_2D"]) == 2


def test_the_map_is_json_beside_the_graph(converted: Path) -> None:
    written = json.loads((converted.parent / "net_saved_model" / "assets.extra" / "modules.json").read_text())
    assert set(written) == {"ops", "outputs"}
    assert all(isinstance(name, str) for name in written["ops"].values())


def test_a_file_from_elsewhere_has_no_module_names(tmp_path: Path) -> None:
    assert modules_beside(tmp_path / "foreign.tflite").ops == {}
