"""What an ONNX file is said to be made of."""

from __future__ import annotations

import onnx
import pytest
import torch
from nets import TinyMobileNet, ready
from onnx import TensorProto, helper
from torch.utils.flop_counter import FlopCounterMode

from verify.errors import ModelUnreadable
from verify.inspection.opening import read_model


def saved(tmp_path, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def weights(name: str, *shape: int, dtype: int = TensorProto.FLOAT):
    count = int(torch.Size(shape).numel())
    return helper.make_tensor(name, dtype, shape, [1] * count)


def value(name: str, *shape, dtype: int = TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def test_multiply_accumulates_are_half_of_what_torch_counts_as_operations(torch_files):
    net = ready(TinyMobileNet)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.module(torch.zeros(1, 3, 32, 32))
    assert read_model(torch_files / "net.onnx").macs.total == counter.get_total_flops() / 2


def test_signature_and_open_sizes(torch_files):
    found = read_model(torch_files / "net.onnx")
    (signature,) = found.signatures
    assert [(spec.name, spec.shape) for spec in signature.inputs] == [("image", ("N", 3, 32, 32))]
    assert [(tensor.name, tensor.role) for tensor in found.dynamic_tensors] == [
        ("image", "input"),
        ("logits", "output"),
    ]


def test_parameters_are_those_of_the_module_with_batch_norms_folded_in(torch_files):
    module = ready(TinyMobileNet).module
    dense = sum(
        layer.weight.numel() for layer in module.modules() if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))
    )
    biases = sum(
        layer.out_channels if isinstance(layer, torch.nn.Conv2d) else layer.out_features
        for layer in module.modules()
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))
    )
    assert read_model(torch_files / "net.onnx").parameters == dense + biases


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "macs"),
    [
        ("MatMul", {"a": (2, 3, 4), "b": (4, 5)}, {}, 2 * 3 * 5 * 4),
        ("Gemm", {"a": (2, 4), "b": (5, 4)}, {"transB": 1}, 2 * 4 * 5),
        ("Gemm", {"a": (4, 2), "b": (4, 5)}, {"transA": 1}, 2 * 4 * 5),
        ("ConvTranspose", {"a": (1, 3, 5, 5), "b": (3, 2, 4, 4)}, {}, 3 * 25 * 2 * 16),
        ("Einsum", {"a": (2, 3), "b": (3, 4)}, {"equation": "ij,jk->ik"}, 24),
        ("Relu", {"a": (2, 3)}, {}, 0),
    ],
)
def test_multiply_accumulates_of_one_op(tmp_path, op, shapes, attributes, macs):
    node = helper.make_node(op, list(shapes), ["y"], **attributes)
    path = saved(tmp_path, [node], [value(name, *shape) for name, shape in shapes.items()], [value("y", *(["?"] * 2))])
    assert read_model(path).macs.total == macs


def test_a_recurrent_op_counts_every_step_of_every_gate(tmp_path):
    node = helper.make_node("GRU", ["x", "w", "r"], ["y"], hidden_size=6)
    path = saved(
        tmp_path,
        [node],
        [value("x", 7, 1, 5)],
        [value("y", 7, 1, 1, 6)],
        [weights("w", 1, 18, 5), weights("r", 1, 18, 6)],
    )
    assert read_model(path).macs.total == 7 * 18 * (5 + 6)


def test_an_op_of_unknown_size_is_named_and_not_counted_as_nothing(tmp_path):
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    found = read_model(
        saved(tmp_path, [node], [value("a", "N", "L", "K"), value("b", "N", "K", 5)], [value("y", "N", "L", 5)])
    )
    assert (found.macs.total, found.macs.uncounted) == (0, (("MatMul", 1),))


def test_quantize_pairs_give_scales_axis_and_zero_points(tmp_path):
    scales = helper.make_tensor("scale", TensorProto.FLOAT, (3,), [0.1, 0.2, 0.3])
    zeros = helper.make_tensor("zero", TensorProto.INT8, (3,), [0, 0, 0])
    node = helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["y"], axis=0)
    kernel = weights("w", 3, 4, dtype=TensorProto.INT8)
    found = read_model(saved(tmp_path, [node], [], [value("y", 3, 4)], [kernel, scales, zeros])).quantization
    assert found.kind == "qdq"
    (tensor,) = found.tensors
    assert (tensor.name, tensor.dtype, tensor.scheme, tensor.axis, tensor.scales) == ("w", "int8", "per axis", 0, 3)
    assert (tensor.scale_min, tensor.scale_max) == pytest.approx((0.1, 0.3))


def test_modules_that_the_exporter_wrote_name_the_layers(torch_files, tmp_path):
    model = onnx.load(torch_files / "net.onnx")
    for node in model.graph.node:
        entry = node.metadata_props.add()
        entry.key, entry.value = "pkg.torch.onnx.name_scopes", "['', 'block.6.reduce', 'conv2d']"
    onnx.save(model, tmp_path / "named.onnx")
    assert {layer.modules for layer in read_model(tmp_path / "named.onnx").layers} == {("block.6.reduce",)}


def test_custom_ops_go_by_their_domain(tmp_path):
    node = helper.make_node("Fancy", ["a"], ["y"], domain="my.company")
    found = read_model(saved(tmp_path, [node], [value("a", 2)], [value("y", 2)]))
    assert found.custom_ops == (("my.company.Fancy", 1),)


@pytest.mark.parametrize("share", [0.02, 0.4, 0.9])
def test_a_truncated_file_is_unreadable(torch_files, tmp_path, share):
    whole = (torch_files / "net.onnx").read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelUnreadable):
        read_model(cut)
