"""A detector opens as the network before its post-processing, or as the part that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from verify.checkpoint import open_model
from verify.checkpoint.detection import set_published_epsilon
from verify.checkpoint.index import Published, load_index
from verify.checkpoint.torchvision_shim import import_torchvision
from verify.errors import ArchitectureUnknown, InputError
from verify.model import ModelSource

import_torchvision()
import detectors  # noqa: E402 - torchvision has to be made importable first


def _source(folder: Path, name: str, **options: str) -> ModelSource:
    torch.save(getattr(detectors, name)().state_dict(), folder / f"{name}.pth")
    return ModelSource(folder / f"{name}.pth", arch=f"{detectors.__file__}:{name}", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("ssd", {"bbox_regression": (2, 336, 4), "cls_logits": (2, 336, 4)}),
        ("retinanet", {"bbox_regression": (2, 252, 4), "cls_logits": (2, 252, 4)}),
        ("fcos", {"bbox_regression": (2, 84, 4), "cls_logits": (2, 84, 4), "bbox_ctrness": (2, 84, 1)}),
        (
            "faster_rcnn",
            {
                "features_0": (2, 32, 8, 8), "features_1": (2, 32, 4, 4), "features_pool": (2, 32, 2, 2),
                "objectness": (2, 252), "rpn_deltas": (2, 252, 4),
            },
        ),
    ],
)  # fmt: skip
def test_a_detector_opens_as_its_network(name: str, outputs: dict[str, tuple[int, ...]], tmp_path: Path) -> None:
    opened = open_model(_source(tmp_path, name))

    given = opened.module(torch.zeros(2, 3, 64, 64))

    assert {key: tuple(value.shape) for key, value in given.items()} == outputs
    (image,) = opened.description.inputs
    assert (image.name, image.shape) == ("image", ("N", 3, 64, 64))
    assert image.preprocessing is not None
    assert image.preprocessing.mean == (0.0, 0.0, 0.0)
    assert "post-processing" in " ".join(opened.description.notes)


@pytest.mark.parametrize(
    ("part", "size", "outputs"),
    [
        ("box_head", 7, {"class_logits": (3, 4), "box_regression": (3, 16)}),
        ("mask_head", 14, {"mask_logits": (3, 4, 28, 28)}),
    ],
)
def test_a_second_stage_is_a_part_of_its_own(
    part: str, size: int, outputs: dict[str, tuple[int, ...]], tmp_path: Path
) -> None:
    opened = open_model(_source(tmp_path, "mask_rcnn", part=part))

    given = opened.module(torch.zeros(3, 32, size, size))

    assert {key: tuple(value.shape) for key, value in given.items()} == outputs
    assert [(spec.name, spec.shape) for spec in opened.description.inputs] == [("roi_features", ("N", 32, size, size))]


def test_a_part_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="network, box_head, mask_head"):
        open_model(_source(tmp_path, "mask_rcnn", part="keypoint_head"))
    with pytest.raises(InputError, match="this detector's parts: network"):
        open_model(_source(tmp_path, "ssd", part="box_head"))


def test_a_net_that_is_no_detector_has_no_parts(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "net.pth")
    with pytest.raises(InputError, match="no torchvision detector"):
        open_model(
            ModelSource(
                tmp_path / "net.pth",
                arch="torch.nn:Linear",
                arch_args=(("in_features", "2"), ("out_features", "3")),
                inputs=("x=N,2",),
                part="box_head",
            )
        )


def test_published_weights_get_the_epsilon_that_torchvision_gives_them() -> None:
    (entry,) = load_index("torchvision").named("retinanet_resnet50_fpn")
    net = torch.nn.Sequential(torch.nn.BatchNorm2d(3))

    unknown = set_published_epsilon(net, entry, None)
    assert "epsilon is 1e-5" in unknown[0]
    assert net[0].eps == 1e-5

    published = set_published_epsilon(net, entry, Published("retinanet_resnet50_fpn_coco-eeacb38b.pth", "eeacb38b"))
    assert "epsilon is 0" in published[0]
    assert net[0].eps == 0.0


def test_the_files_whose_epsilon_is_zero_are_in_the_index() -> None:
    index = load_index("torchvision")
    from verify.checkpoint.detection import _WITHOUT_EPSILON

    for name, prefix in _WITHOUT_EPSILON.items():
        assert prefix in {each.sha256_prefix for entry in index.named(name) for each in entry.published}, name


@pytest.mark.parametrize("name", ["quantized_resnet18", "quantized_mobilenet_v2"])
def test_a_quantized_variant_is_refused_with_its_float_one(name: str, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "net.pth")
    with pytest.raises(ArchitectureUnknown, match="int8 weights in torch's own format") as caught:
        open_model(ModelSource(tmp_path / "net.pth", arch=f"torchvision:{name}"))
    assert f"--arch torchvision:{name.removeprefix('quantized_')} " in caught.value.fix


def test_a_video_net_takes_sixteen_frames_unless_told_otherwise(tmp_path: Path) -> None:
    from torchvision.models.video import r3d_18

    torch.save(r3d_18().state_dict(), tmp_path / "net.pth")
    (clip,) = open_model(ModelSource(tmp_path / "net.pth", arch="torchvision:r3d_18")).description.inputs
    assert (clip.name, clip.shape) == ("clip", ("N", 3, 16, 112, 112))
