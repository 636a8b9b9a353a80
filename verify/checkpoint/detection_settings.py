"""What a detector's post-processing needs beside the network's outputs: anchors, box coding, thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch


@dataclass(frozen=True)
class BoxCoding:
    """How offsets become boxes.

    ``exponential`` (R-CNN, SSD, RetinaNet): offsets ``(dx, dy, dw, dh)``, divided by ``weights``, move and scale an
    anchor's centre and size, ``dw`` and ``dh`` at most ``clip``. ``distances`` (FCOS): distances to left, top, right
    and bottom from the anchor's centre, in units of its size.
    """

    kind: str
    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    clip: float = 0.0


@dataclass(frozen=True)
class Selection:
    """Which boxes stay: the thresholds and limits of one stage."""

    score_threshold: float
    nms_iou_threshold: float
    before_nms: int
    """At most so many by score: of each level (RetinaNet, FCOS, proposals) or each class (SSD); 0 for no limit."""
    after_nms: int


@dataclass(frozen=True)
class DetectorSettings:
    """The numbers of a detector. ``mean`` and ``std`` are of pixels in 0..1; ``image_size`` is the shorter side."""

    kind: str
    """``ssd``, ``retinanet``, ``fcos`` or ``rcnn``."""
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    coding: BoxCoding
    selection: Selection
    """Of the one stage, or of the proposals."""
    box_coding: BoxCoding | None = None
    box_selection: Selection | None = None
    """Of the second stage, where there is one."""
    roi_levels: tuple[str, ...] = ()
    roi_size: int = 0
    roi_samples: int = 0


@dataclass(frozen=True)
class Anchors:
    """Anchors for one image size as ``(x1, y1, x2, y2)`` in pixels, and how many each level has, in the same order."""

    boxes: torch.Tensor
    levels: tuple[int, ...]


def settings_of(detector: Any) -> DetectorSettings:
    """The settings of a torchvision detector."""
    transform = detector.transform
    size = transform.fixed_size[0] if transform.fixed_size else transform.min_size[-1]
    if not transform.fixed_size:
        size = -(-size // transform.size_divisible) * transform.size_divisible
    mean, std = tuple(map(float, transform.image_mean)), tuple(map(float, transform.image_std))
    if not hasattr(detector, "rpn"):
        selection = Selection(
            detector.score_thresh, detector.nms_thresh, detector.topk_candidates, detector.detections_per_img
        )
        return DetectorSettings(_kind(detector), int(size), mean, std, _coding(detector.box_coder), selection)
    rpn, heads = detector.rpn, detector.roi_heads
    pool = heads.box_roi_pool
    return DetectorSettings(
        _kind(detector),
        int(size),
        mean,
        std,
        _coding(rpn.box_coder),
        Selection(rpn.score_thresh, rpn.nms_thresh, rpn.pre_nms_top_n(), rpn.post_nms_top_n()),
        box_coding=_coding(heads.box_coder),
        box_selection=Selection(heads.score_thresh, heads.nms_thresh, 0, heads.detections_per_img),
        roi_levels=tuple(f"features_{name}" for name in pool.featmap_names),
        roi_size=pool.output_size[0],
        roi_samples=pool.sampling_ratio,
    )


def anchors_for(detector: Any, height: int, width: int) -> Anchors:
    """The detector's own anchors for images of that size."""
    levels = [torch.empty(0, *size) for size in _level_sizes(detector, height, width)]
    generator = detector.rpn.anchor_generator if hasattr(detector, "rpn") else detector.anchor_generator
    images = SimpleNamespace(tensors=torch.empty(0, height, width), image_sizes=[(height, width)])
    boxes = generator(images, levels)[0]
    each = generator.num_anchors_per_location()
    counts = [level.shape[-2] * level.shape[-1] * number for level, number in zip(levels, each, strict=True)]
    return Anchors(boxes, tuple(counts))


def _level_sizes(detector: Any, height: int, width: int) -> list[tuple[int, ...]]:
    """Height and width of every level of the pyramid: on the meta device the backbone runs without computing."""
    backbone = detector.backbone
    state = {name: tensor.to("meta") for name, tensor in (*backbone.named_parameters(), *backbone.named_buffers())}
    image = torch.empty(1, len(detector.transform.image_mean), height, width, device="meta")
    features = torch.func.functional_call(backbone, state, (image,))
    levels = [features] if isinstance(features, torch.Tensor) else features.values()
    return [tuple(level.shape[-2:]) for level in levels]


def _kind(detector: Any) -> str:
    if hasattr(detector, "rpn"):
        return "rcnn"
    names = {base.__name__.lower() for base in type(detector).__mro__}
    return next(kind for kind in ("ssd", "retinanet", "fcos") if kind in names)


def _coding(coder: Any) -> BoxCoding:
    if not hasattr(coder, "bbox_xform_clip"):
        return BoxCoding("distances")
    return BoxCoding("exponential", tuple(map(float, coder.weights)), float(coder.bbox_xform_clip))
