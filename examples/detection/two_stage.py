"""Faster, Mask and Keypoint R-CNN: proposals, RoIAlign and the box head's outputs to detections, in numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from boxes import Array, Detections, best, clip, decode, suppress
from one_stage import sigmoid, softmax

Head = Callable[[Array], dict[str, Array]]
"""Pooled features ``(regions, size, size, channels)`` to ``class_logits`` and ``box_regression``: the box head."""
_LEAST_SIDE = {"proposal": 1e-3, "detection": 1e-2}
_CANONICAL_SIDE, _CANONICAL_LEVEL = 224, 4


def detect(outputs: dict[str, Array], head: Head, detector: dict[str, Any], anchors: Array) -> Detections:
    """Detections of one image from the network's outputs, each with a batch of 1; feature maps are channels-last."""
    proposals = propose(outputs, detector, anchors)
    pooled = pool(outputs, proposals, detector, detector["roi_size"])
    answers = head(pooled)
    scores = softmax(answers["class_logits"])[:, 1:]
    offsets = answers["box_regression"].reshape(len(proposals), -1, 4)[:, 1:]
    classes = scores.shape[1]
    starts = np.repeat(proposals, classes, axis=0)
    boxes = decode(offsets.reshape(-1, 4), starts, detector["box_coding"])
    boxes = clip(boxes, detector["image_height"], detector["image_width"])
    values, labels = scores.reshape(-1), np.tile(np.arange(1, classes + 1), len(proposals))
    selection = detector["box_selection"]
    chosen = (values > selection["score_threshold"]) & _large_enough(boxes, "detection")
    boxes, values, labels = boxes[chosen], values[chosen], labels[chosen]
    kept = suppress(boxes, values, labels, selection["nms_iou_threshold"])[: selection["after_nms"]]
    return Detections(boxes[kept], values[kept], labels[kept])


def propose(outputs: dict[str, Array], detector: dict[str, Any], anchors: Array) -> Array:
    """The regions ``(n, 4)`` that the first stage takes for objects."""
    selection = detector["selection"]
    objectness, deltas = outputs["objectness"][0], outputs["rpn_deltas"][0]
    counts = detector["anchors_per_level"]
    starts = np.cumsum([0, *counts[:-1]])
    which = np.concatenate(
        [s + best(objectness[s : s + n], selection["before_nms"]) for s, n in zip(starts, counts, strict=True)]
    )
    levels = np.repeat(np.arange(len(counts)), counts)[which]
    boxes = decode(deltas[which], anchors[which], detector["coding"])
    boxes = clip(boxes, detector["image_height"], detector["image_width"])
    scores = sigmoid(objectness[which])
    chosen = _large_enough(boxes, "proposal") & (scores >= selection["score_threshold"])
    boxes, scores, levels = boxes[chosen], scores[chosen], levels[chosen]
    return boxes[suppress(boxes, scores, levels, selection["nms_iou_threshold"])[: selection["after_nms"]]]


def _large_enough(boxes: Array, what: str) -> Array:
    return np.all(boxes[:, 2:] - boxes[:, :2] >= _LEAST_SIDE[what], axis=1)


def pool(outputs: dict[str, Array], boxes: Array, detector: dict[str, Any], size: int) -> Array:
    """Features ``(boxes, size, size, channels)``, each box from the level of the pyramid that suits its size.

    Lin et al., Feature Pyramid Networks (2017), equation 1.
    """
    maps = [outputs[name][0] for name in detector["roi_levels"]]
    scales = [2.0 ** np.round(np.log2(level.shape[0] / detector["image_height"])) for level in maps]
    first, last = -np.log2(scales[0]), -np.log2(scales[-1])
    side = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    wanted = np.floor(_CANONICAL_LEVEL + np.log2(side / _CANONICAL_SIDE) + 1e-6)
    chosen = (np.clip(wanted, first, last) - first).astype(int)
    pooled = np.zeros((len(boxes), size, size, maps[0].shape[-1]), np.float32)
    for number, (level, scale) in enumerate(zip(maps, scales, strict=True)):
        for index in np.flatnonzero(chosen == number):
            pooled[index] = roi_align(level, boxes[index] * scale, size, detector["roi_samples"])
    return pooled


def roi_align(level: Array, box: Array, size: int, samples: int) -> Array:
    """The means of ``samples`` × ``samples`` points in each of ``size`` × ``size`` bins of a box.

    He et al., Mask R-CNN (2017); the box in pixels of the level ``(height, width, channels)``, not shifted by a half.
    """
    height, width = level.shape[:2]
    rows, columns = (_points(box[axis], max(box[axis + 2] - box[axis], 1.0), size, samples) for axis in (1, 0))
    y0, y1, wy, inside_y = _taps(rows, height)
    x0, x1, wx, inside_x = _taps(columns, width)
    wy, wx = wy[:, None, None], wx[None, :, None]
    upper = (1 - wx) * level[y0][:, x0] + wx * level[y0][:, x1]
    lower = (1 - wx) * level[y1][:, x0] + wx * level[y1][:, x1]
    values = ((1 - wy) * upper + wy * lower) * inside_y[:, None, None] * inside_x[None, :, None]
    return values.reshape(size, samples, size, samples, -1).mean(axis=(1, 3))


def _points(start: float, length: float, size: int, samples: int) -> Array:
    return start + (np.arange(size * samples) + 0.5) * (length / size / samples)


def _taps(points: Array, length: int) -> tuple[Array, Array, Array, Array]:
    """The two rows (or columns) around each point, the second's share, and whether the point counts at all."""
    inside = (points >= -1) & (points <= length)
    points = np.maximum(points, 0)
    low = np.minimum(points.astype(int), length - 1)
    high = np.minimum(low + 1, length - 1)
    share = np.where(low >= length - 1, 0.0, points - low)
    return low, high, share, inside
