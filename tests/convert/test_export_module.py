"""Every module that torch can express becomes an ONNX file with the right numbers, names and a symbolic batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nets
import numpy as np
import onnx
import pytest
import torch
from torch import nn

from convert.export.examples import example_inputs
from convert.export.ladder import export_module
from convert.export.plan import ExportOutcome
from verify.errors import InputError, InputSpecInvalid
from verify.model import ModelDescription
from verify.runners.flatten import named_outputs
from verify.runners.onnx_runner import OnnxRunner, onnx_signature
from verify.samples import InputSpec

EXPORTABLE = [
    nets.LeNet,
    nets.TinyResNet,
    nets.TinyMobileNet,
    nets.TwoInputNet,
    nets.DictOutputNet,
    nets.NestedOutputNet,
    nets.TokenNet,
]


def export(
    module: object,
    out: Path,
    *,
    inputs: tuple[InputSpec, ...],
    output_names: tuple[str, ...] = (),
    exporter: str = "auto",
) -> ExportOutcome:
    description = ModelDescription("test", "test", inputs, output_names, 0, 0)
    return export_module(module, description, out, 20, exporter)


def worst_sqnr_db(module: nn.Module, out: Path, inputs: tuple[InputSpec, ...]) -> float:
    """The lowest SQNR of any output at batch 1, 2 and 5; shapes and names must agree."""
    worst = np.inf
    with OnnxRunner(out, onnx_signature(out)) as runner, torch.inference_mode():
        for batch in (1, 2, 5):
            tensors = example_inputs(inputs, batch=batch, seed=batch)
            given = {spec.name: tensor.numpy() for spec, tensor in zip(inputs, tensors, strict=True)}
            actual = runner.infer(given)
            expected = named_outputs(module(*tensors), tuple(actual))
            for name, tensor in expected.items():
                assert actual[name].shape == tuple(tensor.shape)
                reference = tensor.double().numpy()
                error = np.square(reference - actual[name]).sum()
                signal = np.square(reference).sum()
                worst = min(worst, 10 * np.log10(signal / max(error, 1e-30)))
    return worst


@dataclass(frozen=True)
class Exported:
    net: nets.Net
    outcome: ExportOutcome
    path: Path
    weights_before: dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Callable[[type[nn.Module]], Exported]:
    """A net of that class and its ONNX file by the newer exporter, made once."""

    @functools.cache
    def make(kind: type[nn.Module]) -> Exported:
        net = nets.ready(kind)
        weights = {name: tensor.clone() for name, tensor in net.module.state_dict().items()}
        path = tmp_path_factory.mktemp(kind.__name__) / "net.onnx"
        return Exported(net, export(net.module, path, inputs=net.inputs), path, weights)

    return make


@pytest.mark.parametrize("kind", EXPORTABLE, ids=lambda kind: kind.__name__)
def test_onnx_file_computes_what_pytorch_does_at_batch_1_2_and_5(kind, exported):
    made = exported(kind)
    assert worst_sqnr_db(made.net.module, made.path, made.net.inputs) > 110


@pytest.mark.parametrize(
    "kind", [nets.TinyMobileNet, nets.NestedOutputNet, nets.TokenNet], ids=lambda kind: kind.__name__
)
def test_older_exporter_computes_the_same(kind, tmp_path):
    net = nets.ready(kind)
    outcome = export(net.module, tmp_path / "net.onnx", inputs=net.inputs, exporter="older")
    assert outcome.exporter == "older"
    assert worst_sqnr_db(net.module, tmp_path / "net.onnx", net.inputs) > 110


@pytest.mark.parametrize("kind", EXPORTABLE, ids=lambda kind: kind.__name__)
def test_signature_says_what_the_file_says_and_the_batch_is_symbolic(kind, exported):
    made = exported(kind)
    outcome = made.outcome
    assert (outcome.exporter, outcome.notes, outcome.refusals) == ("newer", (), ())
    assert outcome.signature == onnx_signature(made.path)
    for asked, written in zip(made.net.inputs, outcome.signature.inputs, strict=True):
        assert (written.name, written.dtype, written.shape) == (asked.name, asked.dtype, asked.shape)
    for spec in outcome.signature.outputs:
        assert spec.shape[0] == "N"
        assert all(isinstance(dim, int) for dim in spec.shape[1:])
        assert spec.permutation is None


def test_dict_keys_name_the_outputs(exported):
    outputs = exported(nets.DictOutputNet).outcome.signature.outputs
    assert [spec.name for spec in outputs] == ["logits", "aux"]


def test_nested_outputs_are_numbered_in_order(exported):
    outputs = exported(nets.NestedOutputNet).outcome.signature.outputs
    assert [spec.name for spec in outputs] == ["output_0", "output_1", "output_2"]


@pytest.mark.parametrize("exporter", ["newer", "older"])
def test_chosen_output_names_are_the_names_in_the_file(exporter, tmp_path):
    net = nets.ready(nets.DictOutputNet)
    outcome = export(
        net.module, tmp_path / "net.onnx", inputs=net.inputs, output_names=("scores", "maps"), exporter=exporter
    )
    assert [spec.name for spec in outcome.signature.outputs] == ["scores", "maps"]
    assert worst_sqnr_db(net.module, tmp_path / "net.onnx", net.inputs) > 110


def test_too_few_output_names_are_refused_with_the_models_own(tmp_path):
    net = nets.ready(nets.DictOutputNet)
    with pytest.raises(InputError, match=r"1 output names .* has 2: logits, aux"):
        export(net.module, tmp_path / "net.onnx", inputs=net.inputs, output_names=("scores",))


def test_other_axes_are_dynamic_on_request(tmp_path):
    net = nets.ready(nets.TinyResNet)
    inputs = (InputSpec("image", ("N", 3, "H", "W")),)
    outcome = export(net.module, tmp_path / "net.onnx", inputs=inputs)
    assert outcome.signature.inputs[0].shape == ("N", 3, "H", "W")
    image = torch.randn(3, 3, 40, 56)
    with OnnxRunner(tmp_path / "net.onnx", outcome.signature) as runner, torch.inference_mode():
        actual = runner.infer({"image": image.numpy()})["output"]
        np.testing.assert_allclose(actual, net.module(image).numpy(), rtol=1e-4, atol=1e-5)


def test_every_operator_keeps_its_pytorch_source_line(exported):
    model = onnx.load(exported(nets.TinyMobileNet).path)
    traces = [
        {entry.key: entry.value for entry in node.metadata_props}.get("pkg.torch.onnx.stack_trace", "")
        for node in model.graph.node
    ]
    assert len(traces) > 15
    assert all("nets.py" in trace for trace in traces)


def test_one_file_holds_everything_at_the_asked_opset(exported):
    path = exported(nets.TinyResNet).path
    assert [each.name for each in path.parent.iterdir()] == ["net.onnx"]
    model = onnx.load(path, load_external_data=False)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 20)]
    assert all(not tensor.external_data for tensor in model.graph.initializer)


def test_module_left_in_training_mode_is_exported_for_inference(tmp_path):
    net = nets.ready(nets.TinyMobileNet)
    net.module.train()
    export(net.module, tmp_path / "net.onnx", inputs=net.inputs)
    assert worst_sqnr_db(net.module.eval(), tmp_path / "net.onnx", net.inputs) > 110


def test_export_leaves_the_weights_as_they_were(exported):
    made = exported(nets.TinyResNet)
    after = made.net.module.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in made.weights_before.items())


def test_integer_input_without_a_range_is_refused(tmp_path):
    net = nets.ready(nets.TokenNet)
    with pytest.raises(InputSpecInvalid, match=r"(?s)ids holds integers .* without a range.*--input ids=N,12:int64:0"):
        export(net.module, tmp_path / "net.onnx", inputs=(InputSpec("ids", ("N", 12), dtype="int64"),))


def test_unknown_exporter_is_bad_usage(tmp_path):
    net = nets.ready(nets.LeNet)
    with pytest.raises(InputError, match=r"(?s)no exporter 'newest'.*auto, newer, older"):
        export(net.module, tmp_path / "net.onnx", inputs=net.inputs, exporter="newest")
