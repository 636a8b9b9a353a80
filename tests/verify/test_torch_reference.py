"""The reference run gives PyTorch's own numbers, by the names of the exported model, in float32 and in float64."""

from __future__ import annotations

import nets
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from verify.batches import batch_name, read_batch, write_batch
from verify.errors import InputError, SamplesInvalid
from verify.model import ModelSource
from verify.runners.torch_runner import Reference, run_module, run_reference
from verify.spread import measure_torch_spread


class FactoryNet(nn.Module):
    """Makes a tensor of the default dtype inside ``forward``, as many models do."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features) @ torch.eye(8)


def write_inputs(folder, net: nets.Net, names: tuple[str, ...], sizes=(1, 2, 5)) -> None:
    for index, size in enumerate(sizes):
        tensors = net.example(size, seed=index)
        arrays = {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
        write_batch(folder / batch_name(index), arrays)


@pytest.fixture
def resnet_batches(tmp_path):
    net = nets.ready(nets.TinyResNet)
    write_inputs(tmp_path / "in", net, ("image",))
    return net, tmp_path


def test_reference_is_pytorchs_own_output_for_every_batch(resnet_batches):
    net, folder = resnet_batches
    record = run_module(Reference(net.module, ("image",)), folder / "in", folder / "out", "float32")
    assert record.batch_sizes == (1, 2, 5)
    for index, size in enumerate(record.batch_sizes):
        with torch.inference_mode():
            expected = net.module(*net.example(size, seed=index)).numpy()
        assert np.array_equal(read_batch(folder / "out" / batch_name(index))["output"], expected)


def test_float64_reference_is_close_to_float32_but_not_the_same(resnet_batches):
    net, folder = resnet_batches
    for precision in ("float32", "float64"):
        run_module(Reference(net.module, ("image",)), folder / "in", folder / precision, precision)
    narrow = read_batch(folder / "float32" / batch_name(2))["output"]
    wide = read_batch(folder / "float64" / batch_name(2))["output"]
    assert (narrow.dtype, wide.dtype) == (np.float32, np.float64)
    error = np.abs(wide - narrow).max()
    assert 0 < error < 1e-5 * np.abs(wide).max()


def test_float64_run_leaves_the_module_bit_for_bit_as_it_was(resnet_batches):
    net, folder = resnet_batches
    before = {name: tensor.clone() for name, tensor in net.module.state_dict().items()}
    run_module(Reference(net.module, ("image",)), folder / "in", folder / "out", "float64")
    after = net.module.state_dict()
    assert all(
        after[name].dtype == tensor.dtype and torch.equal(after[name], tensor) for name, tensor in before.items()
    )
    assert torch.get_default_dtype() is torch.float32


def test_float64_run_of_a_net_that_makes_tensors_in_forward(tmp_path):
    net = nets.Net(FactoryNet().eval(), (nets.FEATURES,))
    write_inputs(tmp_path / "in", net, ("features",))
    run_module(Reference(net.module, ("features",)), tmp_path / "in", tmp_path / "out", "float64")
    assert read_batch(tmp_path / "out" / batch_name(0))["output"].dtype == np.float64


class FloatInForward(nn.Module):
    """Says float32 where it means a floating-point number, as RAFT's grid of coordinates does."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 3)

    def forward(self, features):
        places = torch.arange(8).float() + torch.ones(8, dtype=torch.float32) + features.to(torch.float32)
        return self.layer(places)


def test_float64_run_of_a_net_whose_code_says_float32(tmp_path):
    write_batch(tmp_path / "in" / batch_name(0), {"features": np.ones((2, 8), np.float32)})
    run_module(Reference(FloatInForward(), ("features",)), tmp_path / "in", tmp_path / "out", "float64")
    assert read_batch(tmp_path / "out" / batch_name(0))["output"].dtype == np.float64


def test_integer_inputs_stay_integers_in_float64(tmp_path):
    net = nets.ready(nets.TokenNet)
    write_inputs(tmp_path / "in", net, ("ids",))
    run_module(Reference(net.module, ("ids",)), tmp_path / "in", tmp_path / "out", "float64")
    assert read_batch(tmp_path / "out" / batch_name(1))["output"].shape == (2, 3)


def test_outputs_carry_the_exported_models_names(tmp_path):
    net = nets.ready(nets.DictOutputNet)
    write_inputs(tmp_path / "in", net, ("image",))
    for names, folder in (((), "own"), (("scores", "maps"), "chosen")):
        run_module(Reference(net.module, ("image",), names), tmp_path / "in", tmp_path / folder, "float32")
    assert list(read_batch(tmp_path / "own" / batch_name(0))) == ["logits", "aux"]
    assert list(read_batch(tmp_path / "chosen" / batch_name(0))) == ["scores", "maps"]


def test_two_runs_give_the_same_bytes(resnet_batches):
    net, folder = resnet_batches
    for name in ("first", "second"):
        run_module(Reference(net.module, ("image",)), folder / "in", folder / name, "float32")
    assert (folder / "first" / batch_name(2)).read_bytes() == (folder / "second" / batch_name(2)).read_bytes()


def test_missing_input_is_named(tmp_path):
    net = nets.ready(nets.TwoInputNet)
    write_batch(tmp_path / "in" / batch_name(0), {"image": np.zeros((1, 3, 32, 32), np.float32)})
    with pytest.raises(SamplesInvalid, match=r"takes image, features, but the batch has no features: it holds image"):
        run_module(Reference(net.module, ("image", "features")), tmp_path / "in", tmp_path / "out", "float32")


def test_empty_folder_and_unknown_precision_are_refused(resnet_batches):
    net, folder = resnet_batches
    reference = Reference(net.module, ("image",))
    (folder / "empty").mkdir()
    with pytest.raises(SamplesInvalid, match="no batch files"):
        run_module(reference, folder / "empty", folder / "out", "float32")
    with pytest.raises(InputError, match=r"'float16' is not one of float32, float64"):
        run_module(reference, folder / "in", folder / "out", "float16")


def test_checkpoint_is_opened_and_run_by_the_job(resnet_batches):
    net, folder = resnet_batches
    torch.save(net.module.state_dict(), folder / "net.pth")
    source = ModelSource(folder / "net.pth", arch=f"{nets.__file__}:TinyResNet", inputs=("image=N,3,32,32",))
    for precision in ("float64", "float32"):
        run_reference(source, ("scores",), folder / "in", folder / precision, precision)
    with torch.inference_mode():
        expected = net.module(*net.example(5, seed=2)).numpy()
    assert np.array_equal(read_batch(folder / "float32" / batch_name(2))["scores"], expected)
    assert read_batch(folder / "float64" / batch_name(2))["scores"].dtype == np.float64


class Coupled(nn.Module):
    """Each sample's output depends on the others of its batch."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, features: Tensor) -> Tensor:
        made = self.fc(features)
        return made - made.mean(0)


def _spread(net: nn.Module, arch: str, shape: tuple[int, ...], folder):
    torch.save(net.state_dict(), folder / "net.pth")
    dims = ",".join(map(str, shape))
    source = ModelSource(folder / "net.pth", arch=arch, inputs=(f"x=N,{dims}",))
    random = np.random.default_rng(0)
    for index, size in enumerate((1, 2, 5)):
        write_batch(folder / "in" / batch_name(index), {"x": random.normal(0, 1, (size, *shape)).astype(np.float32)})
    run_reference(source, ("y",), folder / "in", folder / "out", "float32")
    threads = torch.get_num_threads()
    (spread,) = measure_torch_spread(source=source, output_names=("y",), batches=folder / "in", outputs=folder / "out")
    assert torch.get_num_threads() == threads
    return spread


def test_pytorchs_spread_is_of_the_size_of_roundings(tmp_path):
    spread = _spread(nets.ready(nets.TinyResNet).module, f"{nets.__file__}:TinyResNet", (3, 32, 32), tmp_path)
    assert spread.output == "y"
    assert spread.rms < 1e-5 * spread.rms_output


def test_pytorchs_spread_shows_samples_that_influence_each_other(tmp_path):
    spread = _spread(Coupled(), f"{__file__}:Coupled", (8,), tmp_path)
    assert spread.rms > 0.1 * spread.rms_output
