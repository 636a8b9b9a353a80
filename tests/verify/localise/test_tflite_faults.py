"""A fault in one op of a TFLite file is named, float and int8; a file without one names nobody."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from verify.batches import write_batch
from verify.faults.tflite_model import TfliteModel
from verify.localise.compare import compare_layers
from verify.opening import Layout, open_model

LAYOUTS = (Layout("image", "NHWC"), Layout("features", "NHWC"))


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    random = np.random.default_rng(1)
    image = random.normal(size=(4, 8, 6, 3)).astype(np.float32)
    write_batch(folder / "batch_000.npz", {"image": image, "token": np.arange(4, dtype=np.int32)})
    return folder


def write_with_wrong_weights(*, path, kind, target):
    """Job: a copy whose op of that kind has its weights upside down."""
    model = TfliteModel(path)
    (weight,) = (each for each in model.weights() if each.node.kind == kind)
    values = model.constant(weight.tensor)
    model.set_constant(weight.tensor, np.ascontiguousarray(values[::-1]))
    model.write(target)


def localised(worker, expected, actual, batches):
    one, other = (worker.run(open_model, path=path, layouts=LAYOUTS).value.artifact for path in (expected, actual))
    return worker.run(compare_layers, expected=one, actual=other, batches=batches).value


@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED"])
@pytest.mark.parametrize("name", ["net_float32.tflite", "net_int8.tflite"])
def test_the_op_with_wrong_weights_is_named(name, kind, runtime_worker, tf_models, batches, tmp_path):
    write_with_wrong_weights(path=tf_models / name, kind=kind, target=tmp_path / name)
    found = localised(runtime_worker, tf_models / "net_float32.tflite", tmp_path / name, batches)
    assert found.culprit is not None
    assert found.culprit.layer.op == kind


@pytest.mark.parametrize("name", ["net_float32.tflite", "net_int8.tflite"])
def test_a_file_without_a_fault_names_nobody(name, runtime_worker, tf_models, batches, tmp_path):
    shutil.copyfile(tf_models / name, tmp_path / name)
    found = localised(runtime_worker, tf_models / "net_float32.tflite", tmp_path / name, batches)
    assert found.culprit is None
    assert found.layers
