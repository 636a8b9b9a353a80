"""Small detectors of torchvision's own classes, and a short RAFT: for ``--arch tests/detectors.py:NAME``.

Call ``make_torchvision_importable`` before importing this, as opening a checkpoint does. Their images are 64 × 64 and
are neither resized nor normalised, so that a whole detector and its network see the same numbers.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.ops import MultiScaleRoIAlign

CLASSES = 4
SIDE = 64
_CHANNELS = 32
_PLAIN = {"image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0]}
_SIZED = {**_PLAIN, "min_size": SIDE, "max_size": SIDE}


class Pyramid(nn.Module):
    """Three levels of an eighth, a sixteenth and a thirty-second of the image. (N, 3, H, W) → maps of 32 channels."""

    out_channels = _CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _CHANNELS, 7, stride=8, padding=3)
        self.middle = nn.Conv2d(_CHANNELS, _CHANNELS, 3, stride=2, padding=1)
        self.last = nn.Conv2d(_CHANNELS, _CHANNELS, 3, stride=2, padding=1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """The levels under torchvision's names."""
        fine = torch.relu(self.stem(image))
        middle = torch.relu(self.middle(fine))
        return OrderedDict([("0", fine), ("1", middle), ("pool", torch.relu(self.last(middle)))])


def ssd() -> nn.Module:
    """An SSD with four default boxes a position."""
    boxes = DefaultBoxGenerator([[2], [2], [2]], scales=[0.2, 0.4, 0.6, 0.8])
    options = {"size": (SIDE, SIDE), "num_classes": CLASSES, "head": None, "score_thresh": 0.05, **_PLAIN}
    head = detection.ssd.SSDHead([_CHANNELS] * 3, boxes.num_anchors_per_location(), CLASSES)
    return _drawn(detection.ssd.SSD(Pyramid(), boxes, **{**options, "head": head}))


def retinanet() -> nn.Module:
    """A RetinaNet with three anchors a position."""
    return _drawn(detection.RetinaNet(Pyramid(), CLASSES, anchor_generator=_anchors((0.5, 1.0, 2.0)), **_SIZED))


def fcos() -> nn.Module:
    """An FCOS: one anchor a position."""
    return _drawn(detection.FCOS(Pyramid(), CLASSES, anchor_generator=_anchors((1.0,)), **_SIZED))


def faster_rcnn() -> nn.Module:
    """A Faster R-CNN that pools its regions from two levels."""
    return _drawn(detection.FasterRCNN(Pyramid(), CLASSES, **_two_stages(), **_SIZED))


def mask_rcnn() -> nn.Module:
    """A Mask R-CNN."""
    pool = MultiScaleRoIAlign(["0", "1"], 14, 2)
    return _drawn(detection.MaskRCNN(Pyramid(), CLASSES, mask_roi_pool=pool, **_two_stages(), **_SIZED))


def short_raft() -> nn.Module:
    """RAFT with two updates of the flow in place of twelve."""
    return _ShortRaft()


class _ShortRaft(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.raft = torchvision.models.optical_flow.raft_small()

    def forward(self, image1: Tensor, image2: Tensor) -> list[Tensor]:
        flows: list[Tensor] = self.raft(image1, image2, num_flow_updates=2)
        return flows


def _anchors(ratios: tuple[float, ...]) -> AnchorGenerator:
    return AnchorGenerator(((12,), (24,), (48,)), (ratios,) * 3)


def _two_stages() -> dict[str, object]:
    return {
        "rpn_anchor_generator": _anchors((0.5, 1.0, 2.0)),
        "box_roi_pool": MultiScaleRoIAlign(["0", "1"], 7, 2),
        "rpn_post_nms_top_n_test": 20,
    }


def _drawn(net: nn.Module) -> nn.Module:
    """Weights large enough that scores differ, and biases that hide nothing."""
    torch.manual_seed(0)
    for name, parameter in net.named_parameters():
        nn.init.normal_(parameter, std=0.1 if name.endswith("weight") else 0.3)
    return net.eval()
