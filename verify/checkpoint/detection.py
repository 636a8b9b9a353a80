"""torchvision's detectors as plain networks: images in, named tensors out, without what depends on the data.

A detector of torchvision takes a list of images of any size, resizes and normalises them, and returns a list of boxes
of any number. What a phone runs is the network in between, on a batch of images of one size. It is cut out here, so
that the reference run and the export see the same module; ``docs/detection.md`` says what stands on either side.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from verify.checkpoint.detection_settings import DetectorSettings, settings_of
from verify.checkpoint.index import Architecture, Published
from verify.checkpoint.input_specs import image_input
from verify.errors import InputError
from verify.samples import ImagePreprocessing, InputSpec
from verify.signature import BATCH

NETWORK = "network"
DOCUMENTATION = "docs/detection.md"


@dataclass(frozen=True)
class DetectorPart:
    """A part of a detector, with what it takes by default and what a person should know about it."""

    module: nn.Module
    inputs: tuple[InputSpec, ...]
    notes: tuple[str, ...]
    settings: DetectorSettings | None
    """What the post-processing needs; ``None`` for a head, whose boxes come from the network's."""


class OneStageNetwork(nn.Module):
    """SSD, RetinaNet, FCOS: for every anchor its class logits and box offsets (FCOS: and its centerness).

    ``image`` is ``(N, 3, H, W)``; ``cls_logits`` is ``(N, anchors, classes)``, ``bbox_regression`` ``(N, anchors, 4)``,
    ``bbox_ctrness`` ``(N, anchors, 1)``. The tensors keep the names they have in the detector.
    """

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.backbone = detector.backbone
        self.head = detector.head

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """The head's outputs over all levels of the pyramid, the finest level first."""
        outputs: dict[str, Tensor] = self.head(list(_levels(self.backbone(image)).values()))
        return outputs


class ProposalNetwork(nn.Module):
    """The first stage of Faster, Mask and Keypoint R-CNN: the feature pyramid, and every anchor's objectness.

    ``image`` is ``(N, 3, H, W)``; ``features_0`` … and ``features_pool`` are ``(N, channels, height, width)``,
    ``objectness`` is ``(N, anchors)``, ``rpn_deltas`` ``(N, anchors, 4)``.
    """

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.backbone = detector.backbone
        self.rpn = nn.Module()
        self.rpn.head = detector.rpn.head

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Levels under their names in the pyramid; anchors of all levels in one row, the finest level first."""
        features = _levels(self.backbone(image))
        objectness, deltas = self.rpn.head(list(features.values()))  # type: ignore[operator]
        named = {f"features_{name}": level for name, level in features.items()}
        flat = [_one_row(level, 1).flatten(1) for level in objectness]
        return {
            **named,
            "objectness": torch.cat(flat, dim=1),
            "rpn_deltas": torch.cat([_one_row(level, 4) for level in deltas], dim=1),
        }


class BoxHead(nn.Module):
    """The second stage: pooled features of regions ``(N, channels, 7, 7)`` to class logits and box offsets.

    The batch is the number of regions. ``class_logits`` is ``(N, classes)``, ``box_regression`` ``(N, classes * 4)``.
    """

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.roi_heads = nn.Module()
        self.roi_heads.box_head = detector.roi_heads.box_head
        self.roi_heads.box_predictor = detector.roi_heads.box_predictor

    def forward(self, roi_features: Tensor) -> dict[str, Tensor]:
        """Class 0 is the background."""
        logits, offsets = self.roi_heads.box_predictor(self.roi_heads.box_head(roi_features))  # type: ignore[operator]
        return {"class_logits": logits, "box_regression": offsets}


class RegionHead(nn.Module):
    """The mask or keypoint branch: pooled features of detected boxes ``(N, channels, 14, 14)`` to maps.

    Masks are logits ``(N, classes, 28, 28)``, keypoints heat maps ``(N, keypoints, 56, 56)``.
    """

    def __init__(self, detector: Any, kind: str) -> None:
        super().__init__()
        self.roi_heads = nn.Module()
        self._head, self._predictor, self._output = f"{kind}_head", f"{kind}_predictor", _MAPS[kind]
        for name in (self._head, self._predictor):
            self.roi_heads.add_module(name, getattr(detector.roi_heads, name))

    def forward(self, roi_features: Tensor) -> dict[str, Tensor]:
        """One map a class, or a keypoint."""
        head, predictor = getattr(self.roi_heads, self._head), getattr(self.roi_heads, self._predictor)
        return {self._output: predictor(head(roi_features))}


_WITHOUT_EPSILON = {
    "fasterrcnn_resnet50_fpn": "258fb6c6",
    "maskrcnn_resnet50_fpn": "bf2d0c1e",
    "keypointrcnn_resnet50_fpn": "fc266e95",
    "retinanet_resnet50_fpn": "eeacb38b",
}
"""Architectures whose COCO_V1 weights go with an epsilon of 0, and how the SHA-256 of that file begins."""
_MAPS = {"mask": "mask_logits", "keypoint": "keypoint_heatmaps"}


def is_detector(module: nn.Module) -> bool:
    """Whether the module is a detector of torchvision's, or derived from one. Imports nothing."""
    detection = sys.modules.get("torchvision.models.detection")
    if detection is None:
        return False
    kinds = (detection.retinanet.RetinaNet, detection.ssd.SSD, detection.fcos.FCOS)
    return isinstance(module, (*kinds, detection.generalized_rcnn.GeneralizedRCNN))


def set_published_epsilon(
    detector: nn.Module, architecture: Architecture, published: Published | None
) -> tuple[str, ...]:
    """Give batch norms the epsilon that torchvision gives them along with some published weights; notes on it."""
    sha256_prefix = _WITHOUT_EPSILON.get(architecture.name)
    if sha256_prefix is None:
        return ()
    if published is None or published.sha256_prefix != sha256_prefix:
        return (
            "batch norm's epsilon is 1e-5; if these weights were trained on from torchvision's COCO_V1, where it is 0, "
            "build the network yourself: --arch FILE.py:FUNCTION",
        )
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
    return ("batch norm's epsilon is 0, as torchvision has it for these weights",)


def part_of(detector: nn.Module, name: str) -> DetectorPart:
    """A part of a torchvision detector by its name, the network itself by default.

    Raises ``InputError`` that lists the parts there are.
    """
    parts = _parts(detector)
    if (name or NETWORK) not in parts:
        raise InputError(
            f"--part {name} is none of this detector's parts: {', '.join(parts)}",
            fix=f"use one of them; {DOCUMENTATION} says what each takes and gives",
        )
    return parts[name or NETWORK]()


def _parts(detector: Any) -> dict[str, Callable[[], DetectorPart]]:
    if not hasattr(detector, "rpn"):
        return {NETWORK: lambda: _network(detector, OneStageNetwork(detector), ())}
    heads = detector.roi_heads
    parts: dict[str, Callable[[], DetectorPart]] = {
        "box_head": lambda: _head(BoxHead(detector), detector, heads.box_roi_pool, "proposed regions")
    }
    if heads.has_mask():
        parts["mask_head"] = lambda: _head(
            RegionHead(detector, "mask"), detector, heads.mask_roi_pool, "detected boxes"
        )
    if heads.has_keypoint():
        parts["keypoint_head"] = lambda: _head(
            RegionHead(detector, "keypoint"), detector, heads.keypoint_roi_pool, "detected boxes"
        )
    second = f"the second stage is converted apart: --part {' and --part '.join(parts)}"
    return {NETWORK: lambda: _network(detector, ProposalNetwork(detector), (second,)), **parts}


def _network(detector: Any, module: nn.Module, notes: tuple[str, ...]) -> DetectorPart:
    settings = settings_of(detector)
    side = settings.image_size
    mean, std = settings.mean, settings.std
    image = image_input(len(mean), ImagePreprocessing(side, side, mean, std))
    cut = (
        "a detector is converted up to its post-processing: its network takes images that are resized and normalised "
        f"(mean {_listed(mean)}, std {_listed(std)}) and gives what the boxes are decoded from; {DOCUMENTATION} has "
        "the rest, and MODEL.detector.json beside the ONNX file its numbers"
    )
    return DetectorPart(module, (image,), (cut, *notes), settings)


def _head(module: nn.Module, detector: Any, pool: Any, regions: str) -> DetectorPart:
    height, width = pool.output_size
    channels = detector.backbone.out_channels
    note = (
        f"this part takes features pooled by RoIAlign from {regions} (levels {', '.join(pool.featmap_names)}, "
        f"{pool.sampling_ratio} samples a bin and axis); the batch is the number of regions; see {DOCUMENTATION}"
    )
    return DetectorPart(module, (InputSpec("roi_features", (BATCH, channels, height, width)),), (note,), None)


def _levels(features: Any) -> dict[str, Tensor]:
    return {"0": features} if isinstance(features, Tensor) else dict(features)


def _one_row(level: Tensor, values: int) -> Tensor:
    """``(N, anchors * values, H, W)`` to ``(N, H * W * anchors, values)``, the order of the anchor generator."""
    batch, channels, height, width = level.shape
    split = level.view(batch, channels // values, values, height, width).permute(0, 3, 4, 1, 2)
    return split.reshape(batch, height * width * (channels // values), values)


def _listed(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers)
