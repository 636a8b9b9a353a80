"""Inputs distilled from batch norms: nearer to what those remember than noise is, the same every time, or a refusal."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import nets
import numpy as np
import pytest
import torch

from convert.synthetic.distil import distil
from convert.synthetic.job import Distilled
from convert.synthetic.moved import MovedInput
from verify.checkpoint import open_model
from verify.checkpoint.opened import OpenedModel
from verify.errors import SamplesInvalid
from verify.model import ModelSource
from verify.samples import ImagePreprocessing, InputSpec

NETS = Path(nets.__file__)


class Unrolled(torch.nn.Module):
    """The same net, whose output is no row of scores."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.net(image)[..., None]


def opened(kind: type[torch.nn.Module], folder: Path, *inputs: str) -> OpenedModel:
    path = folder / "net.pth"
    torch.save(nets.ready(kind).module.state_dict(), path)
    return open_model(ModelSource(path, arch=f"{NETS}:{kind.__name__}", inputs=inputs))


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> OpenedModel:
    return opened(nets.TinyResNet, tmp_path_factory.mktemp("resnet"), "image=N,3,32,32")


@pytest.fixture(scope="module")
def made(resnet: OpenedModel, tmp_path_factory: pytest.TempPathFactory) -> Distilled:
    return distil(resnet, seed=0, most=8, target=tmp_path_factory.mktemp("made") / "inputs.npz")


def test_inputs_come_nearer_to_what_batch_norms_remember(made: Distilled) -> None:
    assert made.last_distance < made.first_distance / 2
    image = np.load(made.path)["image"]
    assert (image.shape, image.dtype) == ((8, 3, 32, 32), np.float32)


@pytest.mark.parametrize(("gain", "decides"), [(20, True), (0.01, False)])
def test_inputs_are_moved_towards_classes_where_the_head_has_learnt_to_decide(
    gain: float, decides: bool, resnet: OpenedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convert.synthetic.distil.MOST_STEPS", 8)
    net = copy.deepcopy(resnet.module)
    net.get_parameter("fc.weight").data.mul_(gain)
    image, other = (
        np.load(distil(replace(resnet, module=each), 0, 8, tmp_path / f"{at}.npz").path)["image"]
        for at, each in enumerate((net, Unrolled(net)))
    )
    assert np.array_equal(image, other) is not decides


def test_a_seed_gives_the_same_inputs_and_another_gives_others(
    resnet: OpenedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convert.synthetic.distil.MOST_STEPS", 8)
    first, again, other = (
        np.load(distil(resnet, seed, 8, tmp_path / f"{at}.npz").path)["image"] for at, seed in enumerate((0, 0, 1))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any(axis=(1, 2, 3)).all()


def test_of_a_net_that_takes_long_fewer_inputs_are_made(
    resnet: OpenedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convert.synthetic.distil.MOST_SECONDS", 1e-9)
    made = distil(resnet, 0, 32, tmp_path / "inputs.npz")
    assert (made.count, made.steps) == (16, 8)


def test_inputs_stay_what_pixels_can_be() -> None:
    grey = ImagePreprocessing(4, 4, mean=(0.5,), std=(0.25,))
    for spec in (
        InputSpec("image", ("N", 1, 4, 4), preprocessing=grey),
        InputSpec("image", ("N", 1, 4, 4), low=-2, high=2),
    ):
        value = MovedInput(spec, 100 * torch.randn(2, 1, 4, 4)).value()
        assert (float(value.min()), float(value.max())) == (-2, 2)


def test_a_net_without_batch_norms_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SamplesInvalid, match=r"LeNet has none that has learnt anything") as refused:
        distil(opened(nets.LeNet, tmp_path, "image=N,1,28,28"), 0, 8, tmp_path / "inputs.npz")
    assert "--calib" in refused.value.fix
    assert "--default-ranges" in refused.value.fix


def test_batch_norms_as_constructed_know_nothing(tmp_path: Path) -> None:
    torch.save(nets.TinyResNet().state_dict(), tmp_path / "net.pth")
    model = open_model(ModelSource(tmp_path / "net.pth", arch=f"{NETS}:TinyResNet", inputs=("image=N,3,32,32",)))
    with pytest.raises(SamplesInvalid, match="learnt"):
        distil(model, 0, 8, tmp_path / "inputs.npz")


def test_torchscript_hides_its_batch_norms(tmp_path: Path) -> None:
    torch.jit.script(nets.ready(nets.TinyResNet).module).save(tmp_path / "net.pt")
    model = open_model(ModelSource(tmp_path / "net.pt", inputs=("image=N,3,32,32",)))
    with pytest.raises(SamplesInvalid, match="does not show its own") as refused:
        distil(model, 0, 8, tmp_path / "inputs.npz")
    assert refused.value.fix.startswith("give the state_dict and --arch")
