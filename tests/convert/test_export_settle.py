"""Settling an exported program skips torch's retrace, and changes nothing that comes out."""

from __future__ import annotations

import nets
import numpy as np
import pytest
import torch
from test_export_module import export, worst_sqnr_db
from torch import Tensor, nn
from torch.nn import functional

from convert.export.capture import capture
from convert.export.dynamic_axes import dynamic_dims
from convert.export.examples import example_inputs
from convert.export.newer import translate
from convert.export.plan import ExportPlan
from convert.export.settle import SettledProgram, recorded
from convert.export.shortcuts import has_one_float_type
from verify.checkpoint.torchvision_shim import import_torchvision
from verify.runners.onnx_runner import OnnxRunner, onnx_signature
from verify.samples import InputSpec

FEATURES = (InputSpec("features", ("N", 8)),)
IMAGE = (InputSpec("image", ("N", 4, 8, 8)),)


class ReadAfterWrite(nn.Module):
    """The view sees what ``relu_`` writes; a functional ``relu`` would leave it as it was."""

    def forward(self, features: Tensor) -> Tensor:
        doubled = features * 2
        view = doubled.view(-1, 4, 2)
        doubled.relu_()
        return view.sum(2) + doubled[:, :4]


class WriteIntoSlice(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        copy = features.clone()
        copy[:, 0] = 3
        return copy.mul_(2)


class WriteIntoPooledInput(nn.Module):
    """Pooling to the input's own size gives a copy: what is written into the input later must not reach it."""

    def forward(self, image: Tensor) -> Tensor:
        signal = image - 0.5
        kept = functional.adaptive_avg_pool2d(signal, 8)
        signal.relu_()
        return kept + signal


class DropoutIsTheSameTensor(nn.Module):
    """In inference ``dropout`` gives back its input itself, so that writing into one writes into both."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, features: Tensor) -> Tensor:
        signal = features - 0.25
        same = self.dropout(signal)
        same.relu_()
        return signal + same


class WritesIntoItsInput(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        features.mul_(2)
        return features + 1


class InPlaceChain(nn.Module):
    """Where writing in place is provably private, as in nearly every published net."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.5, inplace=True)

    def forward(self, image: Tensor) -> Tensor:
        signal = functional.relu6(self.norm(self.conv(image)), inplace=True)
        signal = functional.silu(signal, inplace=True)
        signal += image
        pooled = functional.adaptive_avg_pool2d(functional.hardswish(signal, inplace=True), 2)
        return self.dropout(pooled.flatten(1))


class ThreeAxisAttention(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        tokens = features.reshape(-1, 4, 2)
        return functional.scaled_dot_product_attention(tokens, tokens + 1, tokens * 2)


class MaskedAttention(nn.Module):
    """Three axes, and a mask of the same three; some rows of it are false throughout."""

    def forward(self, image: Tensor) -> Tensor:
        x = image.flatten(2)
        return functional.scaled_dot_product_attention(x, x, x, attn_mask=x[:, :, :4] > 0)


class WindowAttention(nn.Module):
    """Five axes: attention within each row of the image, two heads, a mask of its own for each head."""

    def forward(self, image: Tensor) -> Tensor:
        x = image.permute(0, 2, 3, 1).unflatten(3, (2, 2)).transpose(2, 3)
        mask = torch.linspace(-1, 1, 2 * 8 * 8).view(2, 8, 8)
        return functional.scaled_dot_product_attention(x, x * 2, x + 1, attn_mask=mask)


class RetracedWindowAttention(WindowAttention):
    """The same, after an operator for which the whole net has to be retraced."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(functional.adaptive_avg_pool2d(image, 5).repeat(1, 1, 2, 2)[:, :, :8, :8])


class SwappedAxes(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image.swapaxes(-1, -3).unflatten(1, (2, 4))


class UnevenChunks(nn.Module):
    """Eight columns in three chunks: torch gives 3, 3 and 2."""

    def forward(self, features: Tensor) -> Tensor:
        first, second, third = features.chunk(3, dim=1)
        return first.sum(1) + 2 * second.sum(1) + 3 * third.sum(1)


class UnevenPooling(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(image, 3)


class PlainBatchNorm(nn.Module):
    """Without weight and bias, which the translation wants."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(4, affine=False)

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(image)


def settled_and_torchs_own(module, inputs, folder):
    """The settled program, and for one batch of 3 what its file gives and what torch's own export gives."""
    plan = ExportPlan(inputs, (), folder / "settled.onnx", 20)
    program = recorded(capture(module, inputs), SettledProgram)
    translate(program, plan).save(plan.out)
    own = torch.onnx.export(
        module,
        example_inputs(inputs),
        dynamo=True,
        opset_version=20,
        input_names=list(plan.input_names),
        dynamic_shapes=dynamic_dims(inputs, {}),
        verbose=False,
    )
    own.save(folder / "own.onnx")
    tensors = example_inputs(inputs, batch=3, seed=9)
    given = {name: tensor.numpy() for name, tensor in zip(plan.input_names, tensors, strict=True)}
    outputs = []
    for file in (plan.out, folder / "own.onnx"):
        with OnnxRunner(file, onnx_signature(file)) as runner:
            outputs.append(list(runner.infer(given).values()))
    return program, *outputs


@pytest.mark.parametrize(
    "kind", [nets.TinyResNet, nets.TinyMobileNet, nets.NestedOutputNet], ids=lambda kind: kind.__name__
)
def test_settled_nets_give_bit_for_bit_what_torchs_own_export_gives(kind, tmp_path):
    net = nets.ready(kind)
    program, settled, own = settled_and_torchs_own(net.module, net.inputs, tmp_path)
    assert program.declined is None
    assert all(np.array_equal(fast, slow) for fast, slow in zip(settled, own, strict=True))


def test_private_writes_settle(tmp_path):
    program, settled, own = settled_and_torchs_own(InPlaceChain().eval(), IMAGE, tmp_path)
    assert program.declined is None
    assert np.array_equal(settled[0], own[0])


class MixedTypes(nn.Module):
    """An integer arange meets floats: the operands' types have to be promoted."""

    def forward(self, features: Tensor) -> Tensor:
        return features + torch.arange(8) * 2


def test_types_are_promoted_where_they_differ(tmp_path):
    module = MixedTypes().eval()
    assert not has_one_float_type(capture(module, FEATURES).graph)
    assert has_one_float_type(capture(InPlaceChain().eval(), IMAGE).graph)
    export(module, tmp_path / "net.onnx", inputs=FEATURES, exporter="newer")
    assert worst_sqnr_db(module, tmp_path / "net.onnx", FEATURES) > 110


@pytest.mark.parametrize(
    ("kind", "inputs", "reason"),
    [
        (ReadAfterWrite, FEATURES, "read again later"),
        (WriteIntoSlice, FEATURES, "share"),
        (WriteIntoPooledInput, IMAGE, None),
        (DropoutIsTheSameTensor, FEATURES, "read again later"),
        (WritesIntoItsInput, FEATURES, "share"),
        (ThreeAxisAttention, FEATURES, None),
        (MaskedAttention, IMAGE, None),
        (WindowAttention, IMAGE, None),
        (RetracedWindowAttention, IMAGE, "wants it decomposed"),
        (SwappedAxes, IMAGE, None),
        (UnevenChunks, FEATURES, "depends on its arguments"),
        (UnevenPooling, IMAGE, "wants it decomposed"),
        (PlainBatchNorm, IMAGE, ""),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_settled_is_retraced_and_still_right(kind, inputs, reason, tmp_path):
    module = kind().eval()
    program = recorded(capture(module, inputs), SettledProgram)
    translate(program, ExportPlan(inputs, (), tmp_path / "net.onnx", 20)).save(tmp_path / "net.onnx")
    if reason is None:
        assert program.declined is None
    else:
        assert program.declined is not None
        assert reason in program.declined
    assert worst_sqnr_db(module, tmp_path / "net.onnx", inputs) > 110


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "alexnet",
        "densenet121",
        "efficientnet_b0",
        "googlenet",
        "inception_v3",
        "mnasnet0_5",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "resnet18",
        "resnet50",
        "shufflenet_v2_x1_0",
        "squeezenet1_1",
        "swin_t",
        "swin_v2_t",
        "vit_b_32",
    ],
)
def test_published_nets_are_not_retraced(name, tmp_path):
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    module = import_torchvision().models.get_model(name, weights=None, **options).eval()
    side = 299 if name == "inception_v3" else 224
    inputs = (InputSpec("image", ("N", 3, side, side)),)
    program = recorded(capture(module, inputs), SettledProgram)
    translate(program, ExportPlan(inputs, (), tmp_path / "net.onnx", 20))
    assert program.declined is None
