"""An ONNX node with a fault is named with the PyTorch module that it comes from, and the line that calls it.

The ONNX files say nothing of either: it is found by running PyTorch.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from pytorch_layers import Exported, Net, WritingNet, line_of, net, with_attribute, with_weight
from torch import nn

from verify.errors import InputError
from verify.localise.recorded import read_recording


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return Exported(tmp_path_factory.mktemp("net"), net())


def culprit(exported, worker, change):
    found = exported.localised(worker, change).culprit
    assert found is not None
    return found.layer


def test_a_right_export_has_no_culprit_and_every_weight_has_its_module(runtime_worker, exported):
    found = exported.localised(runtime_worker, lambda _: None)
    assert found.culprit is None
    assert not found.unaligned
    modules = [(each.module, each.module_type) for each in found.layers if each.op in {"Conv", "Gemm"}]
    convolutions = [("stem.0", "Conv2d"), ("shared", "Conv2d"), ("shared", "Conv2d")]
    assert modules == [*convolutions, ("attention", "MultiheadAttention"), ("head", "Linear")]


@pytest.mark.parametrize(
    ("place", "line"), [(1, "once = functional"), (2, "twice = self.shared")], ids=["first call", "second call"]
)
def test_of_a_module_called_twice_the_call_is_told(place, line, runtime_worker, exported):
    node = exported.nodes("Conv")[place]
    layer = culprit(exported, runtime_worker, with_weight(node, lambda weight: weight.swapaxes(2, 3)))
    assert (layer.op_index, layer.module, layer.module_type) == (node, "shared", "Conv2d")
    assert layer.source == line_of(line)


def test_a_function_that_is_no_module_is_told_by_its_line(runtime_worker, exported):
    (node,) = exported.nodes("LeakyRelu")
    layer = culprit(exported, runtime_worker, with_attribute(node, "alpha", 0.3))
    assert (layer.op_index, layer.module) == (node, "")
    assert layer.source == line_of("once = functional")


def test_what_is_inside_attention_is_seen(runtime_worker, exported):
    (node,) = exported.nodes("Softmax")
    layer = culprit(exported, runtime_worker, with_attribute(node, "axis", 1))
    assert layer.op_index == node
    assert (layer.module, layer.module_type) == ("attention", "MultiheadAttention")


def test_a_convolution_with_a_folded_norm_is_told_with_both_modules(runtime_worker, exported):
    node = exported.nodes("Conv")[0]
    found = exported.localised(runtime_worker, with_weight(node, lambda weight: weight * 1.01)).culprit
    assert found is not None
    assert found.layer.module == "stem.0"
    assert "In PyTorch it is stem.0 (Conv2d) → stem.1 (BatchNorm2d)." in found.explanation


def test_a_missing_activation_is_told_with_its_own_module(runtime_worker, exported):
    node = exported.nodes("Relu")[0]

    def without(model):
        model.graph.node[node].op_type = "Identity"

    layer = culprit(exported, runtime_worker, without)
    assert (layer.op_index, layer.module, layer.module_type) == (node, "stem.2", "ReLU")


def test_a_product_is_not_taken_for_the_sum_with_a_small_bias(runtime_worker, tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 5)).eval()
    for layer in (module[1], module[3]):
        nn.init.constant_(layer.bias, 2e-4)
    found = Exported(tmp_path, module).localised(runtime_worker, lambda _: None)
    assert found.culprit is None
    assert all(each.local_sqnr_db is None or each.local_sqnr_db > 100 for each in found.layers)


def test_the_reproducer_holds_what_pytorch_gives_and_fails_by_itself(runtime_worker, exported, tmp_path):
    node = exported.nodes("Conv")[1]
    exported.localised(runtime_worker, with_weight(node, lambda weight: -weight), tmp_path / "reproducer")
    script = tmp_path / "reproducer" / "reproduce.py"
    ran = subprocess.run([sys.executable, str(script)], check=False, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stderr
    assert "expected at least 90 dB" in ran.stdout


def test_an_exported_program_tells_module_and_line_too(runtime_worker, tmp_path):
    module = net()
    program = torch.export.export(module, (torch.randn(1, 3, 8, 8),))
    exported = Exported(tmp_path, module, runs=program.module())
    node = exported.nodes("Conv")[2]
    layer = culprit(exported, runtime_worker, with_weight(node, lambda weight: -weight))
    assert (layer.module, layer.module_type, layer.source) == ("shared", "Conv2d", line_of("twice = self.shared"))


def test_what_is_written_through_a_view_is_what_is_read(tmp_path):
    fed = {"image": torch.randn(2, 1, 3, 6, 6).numpy()}
    recording = record(WritingNet(), fed, tmp_path)
    (last,) = (op for op in recording.graph.ops if op.kind == "sigmoid")
    (read,) = last.inputs
    expected = torch.zeros(2, 1, 5, 6, 6)
    expected[:, :, 1:4] = torch.from_numpy(fed["image"]) * 2
    expected[:, :, 0] += 1
    torch.testing.assert_close(torch.from_numpy(recording.tensors[read].copy()), expected)
    assert recording.graph.of_inputs() >= {read, *last.outputs}


def test_a_net_that_runs_other_ops_for_another_sample_is_refused(tmp_path):
    class Deciding(nn.Module):
        def forward(self, image):
            return image.relu() if image.sum() > 0 else image.sigmoid()

    with pytest.raises(InputError, match="runs other ops for one sample than for another"):
        record(Deciding(), {"image": torch.tensor([[[1.0]], [[-1.0]]]).numpy()}, tmp_path)


def test_a_recording_is_read_as_it_was_written(exported):
    read = read_recording(exported.folder / "recorded")
    assert read.graph == exported.recording.graph
    assert read.dtypes == exported.recording.dtypes
    assert all((read.tensors[key] == exported.recording.tensors[key]).all() for key in read.dtypes)


def test_the_net_is_left_as_it_was(exported):
    fresh = Net()
    assert not fresh.stem._forward_hooks
    assert torch.is_grad_enabled()
    assert torch.backends.mha.get_fastpath_enabled()


def record(module, fed, folder):
    from verify.localise.torch_recording import record_module

    return record_module(module, fed, ("output",), folder)
