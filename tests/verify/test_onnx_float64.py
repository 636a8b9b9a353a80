"""An ONNX graph at float64: right to far below float32, whatever its ops are, and refused where it would take long."""

from __future__ import annotations

import copy

import nets
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from verify.artifact import Artifact, Format
from verify.batches import batch_name, batch_paths, read_batch, write_batch
from verify.metrics import sqnr_db
from verify.runners import run_artifact
from verify.runners.onnx_float64 import write_float64
from verify.runners.onnx_runner import onnx_signature
from verify.tolerance import measure_floors


class Pools(nn.Module):
    """Padded, ceiled and dilated windows, groups, and an enlargement."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, 2, 1, groups=2)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.rounds = nn.AvgPool2d(3, 2, 1, ceil_mode=True)
        self.counted = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.largest = nn.MaxPool2d(3, 2, 1, ceil_mode=True)

    def forward(self, image):
        x = self.depthwise(self.grouped(image))
        x = torch.cat([self.rounds(x), self.counted(x), self.largest(x)], 1)
        return nn.functional.interpolate(torch.sigmoid(x), scale_factor=2.0, mode="bilinear", align_corners=False)


def _exported(module, examples, path, names=("image",)):
    torch.onnx.export(
        module.eval(),
        tuple(examples),
        str(path),
        dynamo=False,
        input_names=list(names),
        output_names=["y"],
        dynamic_axes={name: {0: "N"} for name in names},
        opset_version=17,
    )
    return path


def _batches(folder, examples, names=("image",)):
    for index, batch in enumerate(examples):
        write_batch(folder / batch_name(index), dict(zip(names, (each.numpy() for each in batch), strict=True)))
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_windows_groups_and_enlargements_are_those_of_float64_torch(tmp_path):
    torch.manual_seed(0)
    module, image = Pools().eval(), torch.randn(2, 4, 18, 14)
    path = _exported(module, [image], tmp_path / "net.onnx")
    assert write_float64(path, _batches(tmp_path / "in", [(image,)]), tmp_path / "out") == ""
    with torch.inference_mode():
        exact = copy.deepcopy(module).double()(image.double()).numpy()
    given = read_batch(tmp_path / "out" / batch_name(0))["y"]
    assert given.dtype == np.float64
    assert sqnr_db(exact, given) > 280


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", [nets.TinyResNet, nets.TinyMobileNet, nets.TokenNet])
def test_the_floor_of_onnxruntime_is_that_of_pytorch_to_a_few_times(tmp_path, kind):
    net = nets.ready(kind)
    name = net.inputs[0].name
    path = _exported(net.module, net.example(1), tmp_path / "net.onnx", (name,))
    examples = [net.example(1), net.example(2, 1), net.example(5, 2)]
    batches = _batches(tmp_path / "in", examples, (name,))
    assert write_float64(path, batches, tmp_path / "f64") == ""
    assert [at.name for at in batch_paths(tmp_path / "f64")] == [batch_name(0), batch_name(1)]
    run_artifact(Artifact(path, Format.ONNX, onnx_signature(path), ""), batches, tmp_path / "f32", False)
    (floor,) = measure_floors(tmp_path / "f32", tmp_path / "f64", "onnxruntime")
    with torch.inference_mode():
        singles = [net.module(*batch).numpy() for batch in examples]
        doubles = [copy.deepcopy(net.module).double()(*_wide(batch)).numpy() for batch in examples]
    error = np.concatenate([np.ravel(one - two) for one, two in zip(singles, doubles, strict=True)])
    assert 0.2 < floor.rms / np.sqrt(np.mean(error**2)) < 5
    assert floor.basis == "onnxruntime"


def _wide(batch):
    return tuple(each.double() if each.is_floating_point() else each for each in batch)


def _scaled(tmp_path, op, shape, **attributes):
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], **attributes)],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    return path


def test_what_the_reference_cannot_do_is_a_reason_and_leaves_nothing(tmp_path):
    path = _scaled(tmp_path, "NoSuchOp", ["N", 4])
    write_batch(tmp_path / "in" / batch_name(0), {"x": np.ones((1, 4), np.float32)})
    assert "NoSuchOp" in write_float64(path, tmp_path / "in", tmp_path / "out")
    assert batch_paths(tmp_path / "out") == ()


def test_too_much_work_is_refused_before_it_starts(tmp_path):
    path = _scaled(tmp_path, "ReduceMean", ["N", 1], keepdims=1)
    write_batch(tmp_path / "in" / batch_name(0), {"x": np.ones((1, 1), np.float32)})
    assert write_float64(path, tmp_path / "in", tmp_path / "out") == ""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "x"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1300, 1300])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), str(path))
    write_batch(tmp_path / "in" / batch_name(0), {"x": np.ones((1300, 1300), np.float32)})
    assert "too many to do in float64" in write_float64(path, tmp_path / "in", tmp_path / "out")
