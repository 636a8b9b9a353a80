"""Checkpoints of architectures by name: random weights that behave, published ones that need a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import zoo

from convert.hosts import Hosts
from convert.random_weights import fill_zeros, noise_batch
from convert.stages.export import ExportOnnx
from convert.zoo.job import Source, SourceKind
from convert.zoo.sources import HashMemo, SourceMissing, SourceUnavailable, fetch, source_key
from convert.zoo.sources.library import make_checkpoint
from convert.zoo.store import open_store
from verify.artifact import sha256_of
from verify.checkpoint import open_model
from verify.errors import ArchitectureUnknown
from verify.samples import InputSpec
from verify.worker import Limits

_FETCH = """
import sys
from pathlib import Path
from convert.hosts import Hosts
from convert.zoo.job import Source, SourceKind
from convert.zoo.sources import HashMemo, fetch, source_key
from convert.zoo.store import open_store
from verify.worker import Limits
folder = Path(sys.argv[1])
source = Source(SourceKind.TORCHVISION, "mobilenet_v3_small", weights="random")
key = source_key(source, folder, HashMemo(folder / "hashes.json"))
with Hosts(folder / "log.txt", Limits()) as hosts:
    fetch(source, folder, folder, store=open_store(str(folder / "store")), key=key, hosts=hosts)
assert "torch" not in sys.modules
"""
SMALL = Source(SourceKind.TORCHVISION, "mobilenet_v3_small", weights="random")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where a process without torch has fetched ``SMALL``: into a store, and to ``source/``."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, "-c", _FETCH, str(folder)], check=True)
    return folder


def _random(kind: str, name: str, **changes: object) -> Source:
    return Source(SourceKind(kind), name, weights="random", **changes)  # type: ignore[arg-type]


def test_one_source_gives_the_same_bytes_in_two_processes_however_many_threads_they_have(
    built: Path, tmp_path: Path
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        here = make_checkpoint(SMALL, tmp_path)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert sha256_of(here) == sha256_of(built / "source/mobilenet_v3_small.pth")


def test_a_checkpoint_is_built_once_a_store(built: Path, tmp_path: Path) -> None:
    store = open_store(str(built / "store"))
    key = source_key(SMALL, tmp_path, HashMemo(tmp_path / "hashes.json"))
    with Hosts(tmp_path / "log.txt", Limits()) as hosts:
        path = fetch(SMALL, tmp_path, tmp_path, store=store, key=key, hosts=hosts)
        assert hosts._workers == {}
    assert path == tmp_path / "source/mobilenet_v3_small.pth"
    assert sha256_of(path) == sha256_of(built / "source/mobilenet_v3_small.pth")


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:convnext_atto", "timm:levit_128s"])
def test_a_random_net_tells_photographs_apart(name: str, tmp_path: Path) -> None:
    kind, _, architecture = name.partition(":")
    path = make_checkpoint(_random(kind, architecture), tmp_path)
    opened = open_model(ExportOnnx(arch=name).source(path))
    size = opened.description.inputs[0].shape[-1]
    assert isinstance(size, int)
    with torch.no_grad():
        logits = opened.module(torch.from_numpy(zoo.photo_crops(8, size)))
    assert logits.shape == (8, 1000)
    level = float(logits.square().mean().sqrt())
    assert 0.05 < level < 50
    assert float(logits.std(dim=0).mean()) > 0.1 * level


def test_rounding_does_not_grow_in_a_deep_random_net(tmp_path: Path) -> None:
    """With whole residual branches PyTorch's own float32 has 80 dB of this one; as it is made it has 114."""
    source = Source(**{**vars(_random("torchvision", "resnet101")), "inputs": ("image=N,3,64,64",)})
    net = open_model(ExportOnnx(arch="torchvision:resnet101").source(make_checkpoint(source, tmp_path))).module
    photographs = torch.from_numpy(zoo.photo_crops(8, 64))
    with torch.no_grad():
        single = net(photographs).double()
        double = net.double()(photographs.double())
    error_db = 10 * torch.log10(double.square().sum() / (double - single).square().sum())
    assert error_db > 100, error_db


def test_arguments_seed_and_inputs_shape_the_net(tmp_path: Path) -> None:
    source = _random("timm", "resnet18", arch_args=(("num_classes", "10"), ("in_chans", "1")), seed=1)
    source = Source(**{**vars(source), "inputs": ("image=N,1,64,64",)})
    state = torch.load(make_checkpoint(source, tmp_path), weights_only=True)
    assert state["fc.weight"].shape == (10, 512)
    assert state["conv1.weight"].shape[1] == 1
    (tmp_path / "other").mkdir()
    other = torch.load(make_checkpoint(Source(**{**vars(source), "seed": 2}), tmp_path / "other"), weights_only=True)
    assert not torch.equal(state["conv1.weight"], other["conv1.weight"])


def test_zeros_that_would_hide_a_net_are_filled_and_biases_are_not() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(4)
            torch.nn.init.zeros_(self.norm.weight)
            self.head = torch.nn.Linear(4, 3)
            torch.nn.init.zeros_(self.head.weight)
            torch.nn.init.zeros_(self.head.bias)
            self.layer_scale = torch.nn.Parameter(torch.full((4, 1, 1), 1e-6))
            self.gain = torch.nn.Parameter(torch.zeros(()))

    net = Net()
    fill_zeros(net)
    assert torch.equal(net.norm.weight, torch.full((4,), 0.1))
    assert not net.norm.bias.any()
    assert net.head.weight.std() > 0.005
    assert not net.head.bias.any()
    assert torch.equal(net.layer_scale, torch.full((4, 1, 1), 0.1))
    assert net.gain.item() == pytest.approx(0.1)


def test_noise_has_the_spectrum_of_photographs() -> None:
    """Power falls with the square of the frequency: from one octave to the next by a factor of about four."""
    batch = noise_batch((InputSpec("image", ("N", 3, 128, 128)),), seed=0)[0].numpy()
    power = np.abs(np.fft.fft2(batch)).mean(axis=(0, 1)) ** 2
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None])
    octaves = [power[(frequency >= low) & (frequency < 2 * low)].mean() for low in (1 / 32, 1 / 16, 1 / 8, 1 / 4)]
    ratios = [octaves[index] / octaves[index + 1] for index in range(3)]
    assert all(3 < ratio < 5.5 for ratio in ratios), ratios


def test_arguments_that_the_constructor_does_not_know_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureUnknown, match=r"torchvision:resnet18 could not be built with \{'depth': 3\}"):
        make_checkpoint(_random("torchvision", "resnet18", arch_args=(("depth", "3"),)), tmp_path)


@pytest.mark.parametrize(("kind", "offers"), [("torchvision", "IMAGENET1K_V1"), ("timm", "a1_in1k")])
def test_weights_that_nobody_published_are_refused_with_those_there_are(kind: str, offers: str, tmp_path: Path) -> None:
    with pytest.raises(SourceMissing) as caught:
        make_checkpoint(Source(SourceKind(kind), "resnet18", weights="IMAGENET99"), tmp_path)
    assert "IMAGENET99" in caught.value.what
    assert offers in caught.value.fix
    assert "random" in caught.value.fix


def test_published_weights_without_a_network_say_what_to_do_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match="published weights DEFAULT of torchvision:resnet18 cannot be had") as e:
        make_checkpoint(Source(SourceKind.TORCHVISION, "resnet18", weights="DEFAULT"), tmp_path)
    assert 'weights = "random"' in e.value.fix
    assert list(tmp_path.iterdir()) == []
