from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

from convert.lowering import onnx2tf_road
from convert.lowering.onnx2tf_probe import find_permutation
from convert.stages.base import StageResult
from verify.artifact import sha256_of
from verify.batches import batch_paths, read_batch, write_batch
from verify.errors import LoweringFailed, UnsupportedOp
from verify.runners import run_artifact
from verify.worker import Worker

BATCHES = (1, 2, 5)
NET = """net (float[N, 3, 9, 12] image, int64[N, 4] ids) => (float[N, 8, 9, 12] features, float[N, 5] logits) {
    c = Conv <pads = [1, 1, 1, 1]> (image, conv_weight, conv_bias)  features = Relu(c)
    p = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (features)
    m = GlobalAveragePool(p)  f = Flatten(m)
    e = Gather(table, ids)  axes = Constant <value_ints = [1]> ()  s = ReduceMean <keepdims = 0> (e, axes)
    a = Add(f, s)  logits = Gemm <transB = 1> (a, fc_weight, fc_bias) }"""


def save_net(text: str, path: Path, **shapes: tuple[int, ...]) -> Path:
    model = onnx.parser.parse_model('<ir_version: 9, opset_import: ["" : 20]>\n' + text)
    random = np.random.default_rng(0)
    for name, shape in shapes.items():
        array = random.normal(0, 0.3, shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


@pytest.fixture(scope="module")
def net(tmp_path_factory) -> Path:
    shapes = {"conv_weight": (8, 3, 3, 3), "conv_bias": (8,), "table": (10, 8), "fc_weight": (5, 8), "fc_bias": (5,)}
    return save_net(NET, tmp_path_factory.mktemp("onnx") / "net.onnx", **shapes)


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # facts_of runs there
        started = Worker("tensorflow", log_path=tmp_path_factory.mktemp("log") / "log", preload=("tensorflow",))
    with started:
        yield started


@pytest.fixture(scope="module")
def lowered(net, worker, tmp_path_factory) -> StageResult:
    out = tmp_path_factory.mktemp("lowered") / "net_saved_model"
    return worker.run(onnx2tf_road.lower, onnx_path=net, out=out, layout=()).value


@dataclass(frozen=True)
class Facts:
    trainable: tuple[tuple[int, ...], ...]
    environment_is_kept: bool
    largest_constant_bytes: int


def facts_of(saved_model: Path) -> Facts:
    """Runs in the TensorFlow worker."""
    import os

    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model))
    graph = loaded.signatures["serving_default"].graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    constants = [len(node.attr["value"].tensor.tensor_content) for node in nodes if node.op == "Const"]
    shapes = tuple(tuple(variable.shape) for variable in loaded.trainable_variables)
    return Facts(shapes, os.environ["TF_CPP_MIN_LOG_LEVEL"] == "1", max(constants))


def sqnr_db(result: StageResult, net: Path, worker: Worker, folder: Path) -> dict[str, float]:
    """The SavedModel against onnxruntime, the worst over the batch sizes."""
    batches, outputs = folder / "batches", folder / "outputs"
    batches.mkdir()
    random = np.random.default_rng(7)
    for index, size in enumerate(BATCHES):
        image = random.standard_normal((size, 3, 9, 12), dtype=np.float32)
        write_batch(batches / f"batch_{index:04d}.npz", {"image": image, "ids": random.integers(0, 10, (size, 4))})
    worker.run(run_artifact, artifact=result.artifact, batches=batches, outputs=outputs, measure_latency=False)
    session = onnxruntime.InferenceSession(net)
    names = [output.name for output in session.get_outputs()]
    worst = dict.fromkeys(names, np.inf)
    for fed, given in zip(batch_paths(batches), batch_paths(outputs), strict=True):
        expected = dict(zip(names, session.run(names, read_batch(fed)), strict=True))
        for name, actual in read_batch(given).items():
            assert actual.shape == expected[name].shape
            noise = np.sum((expected[name] - actual) ** 2, dtype=np.float64)
            worst[name] = min(worst[name], 10 * np.log10(np.sum(expected[name] ** 2, dtype=np.float64) / noise))
    return worst


def test_onnx2tf_gives_the_same_numbers_at_batch_1_2_and_5(lowered, net, worker, tmp_path):
    assert all(score > 100 for score in sqnr_db(lowered, net, worker, tmp_path).values())


def test_names_and_declared_layouts_are_those_of_the_exact_lowering(lowered):
    signature = lowered.artifact.signature
    assert [(spec.name, spec.shape, spec.permutation) for spec in signature.inputs] == [
        ("image", ("N", 9, 12, 3), (0, 2, 3, 1)),
        ("ids", ("N", 4), None),
    ]
    assert [(spec.name, spec.shape, spec.permutation) for spec in signature.outputs] == [
        ("features", ("N", 9, 12, 8), (0, 2, 3, 1)),
        ("logits", ("N", 5), None),
    ]


def test_every_weight_is_a_trainable_variable_and_none_a_constant(lowered, worker):
    facts = worker.run(facts_of, saved_model=lowered.artifact.path).value
    assert sorted(np.prod(shape) for shape in facts.trainable) == [5, 8, 40, 80, 216]
    assert facts.largest_constant_bytes < 100


def test_the_worker_keeps_its_environment(lowered, worker):
    assert worker.run(facts_of, saved_model=lowered.artifact.path).value.environment_is_kept


def test_the_onnx_file_is_not_touched(net, worker, tmp_path):
    before = sha256_of(net)
    worker.run(onnx2tf_road.lower, onnx_path=net, out=tmp_path / "out", layout=())
    assert sha256_of(net) == before


def test_an_input_can_stay_channels_first(net, worker, tmp_path):
    layout = ("image=NCHW", "features=NCHW")
    result = worker.run(onnx2tf_road.lower, onnx_path=net, out=tmp_path / "out", layout=layout).value
    assert result.artifact.signature.input("image").shape == ("N", 3, 9, 12)
    assert result.artifact.signature.output("features").shape == ("N", 8, 9, 12)
    assert all(score > 100 for score in sqnr_db(result, net, worker, tmp_path).values())


def test_what_onnx2tf_cannot_convert_ends_in_a_typed_error_and_no_folder(worker, tmp_path):
    text = "net (float[N, 4] x) => (float[N, 4] y) { a, b = Optional3(x) y = Identity(a) }"
    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 20, "mine" : 1]>\n' + text.replace("Opt", "mine.Opt")
    )
    onnx.save(model, tmp_path / "unknown.onnx")
    with pytest.raises(UnsupportedOp, match="onnx2tf does not know the op Optional3") as refusal:
        worker.run(onnx2tf_road.lower, onnx_path=tmp_path / "unknown.onnx", out=tmp_path / "out", layout=())
    assert "--lowering exact" in refusal.value.fix
    assert not (tmp_path / "out").exists()


class TestFindPermutation:
    random = np.random.default_rng(0)

    @pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2), (0, 3, 2, 1)])
    def test_finds_the_order_of_equally_long_axes(self, axes):
        expected = self.random.standard_normal((2, 6, 6, 6))
        assert find_permutation("y", expected, expected.transpose(axes)) == axes

    def test_refuses_numbers_that_agree_under_no_order(self):
        expected = self.random.standard_normal((2, 6, 6))
        with pytest.raises(LoweringFailed, match=r"output 'y' under no order of its axes \(best: -?\d"):
            find_permutation("y", expected, self.random.standard_normal((2, 6, 6)))

    def test_refuses_numbers_that_agree_under_several_orders(self):
        half = self.random.standard_normal((2, 6, 6))
        symmetric = half + half.transpose(0, 2, 1)
        with pytest.raises(LoweringFailed, match="under 2 orders of its axes"):
            find_permutation("y", symmetric, symmetric)

    def test_refuses_another_shape(self):
        with pytest.raises(LoweringFailed, match=r"best: shape \(2, 7\) against \(2, 6\)"):
            find_permutation("y", np.ones((2, 6)), np.ones((2, 7)))
