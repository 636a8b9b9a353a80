"""The same ONNX file is lowered to the same bytes by any process, on either road."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from same_bytes_jobs import loaded, lower_by_both_roads

from verify.artifact import sha256_of
from verify.worker import Worker

NET = """net (float[N, 3, 9, 12] image) => (float[N, 5] logits) {
    c = Conv <pads = [1, 1, 1, 1]> (image, conv_weight, conv_bias)  r = Relu(c)
    d = Conv <pads = [1, 1, 1, 1]> (r, second_weight, second_bias)  s = Add(d, r)
    m = GlobalAveragePool(s)  f = Flatten(m)
    logits = Gemm <transB = 1> (f, fc_weight, fc_bias) }"""
WEIGHTS = {
    "conv_weight": (8, 3, 3, 3),
    "conv_bias": (8,),
    "second_weight": (8, 8, 3, 3),
    "second_bias": (8,),
    "fc_weight": (5, 8),
    "fc_bias": (5,),
}


@dataclass(frozen=True)
class Lowered:
    """Two folders, each made by a worker of its own, and what the first worker says of its exact SavedModel."""

    folders: tuple[Path, Path]
    fingerprint: str
    warnings: tuple[str, ...]


@pytest.fixture(scope="module")
def lowered(tmp_path_factory: pytest.TempPathFactory) -> Lowered:
    net = tmp_path_factory.mktemp("onnx") / "net.onnx"
    model = onnx.parser.parse_model('<ir_version: 9, opset_import: ["" : 20]>\n' + NET)
    random = np.random.default_rng(0)
    for name, shape in WEIGHTS.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(random.random(shape, np.float32), name))
    onnx.save(onnx.shape_inference.infer_shapes(model), net)
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        workers = [Worker("tensorflow", log_path=folder / "log") for folder in (first, second)]
    with workers[0] as one, workers[1] as other:
        meanwhile = other.submit(lower_by_both_roads, onnx_path=net, folder=second)
        one.run(lower_by_both_roads, onnx_path=net, folder=first)
        fingerprint, warnings = one.run(loaded, folder=first / "exact").value
        meanwhile.result()
    return Lowered((first, second), fingerprint, warnings)


@pytest.mark.parametrize("road", ["exact", "onnx2tf"])
def test_two_processes_write_the_same_bytes(lowered: Lowered, road: str) -> None:
    first, second = (folder / road for folder in lowered.folders)
    assert sha256_of(first) == sha256_of(second)


def test_tensorflow_reads_the_fingerprint_and_warns_of_nothing(lowered: Lowered) -> None:
    assert "saved_model_checksum" in lowered.fingerprint
    assert lowered.warnings == ()
