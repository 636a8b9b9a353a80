"""Boxes in numpy, as torchvision computes them: decoding, clipping, non-maximum suppression. Needs numpy alone.

Boxes are ``(n, 4)``: x1, y1, x2, y2 in pixels of the network's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Detections:
    """What one image shows, best first: boxes ``(n, 4)``, scores ``(n,)`` and labels ``(n,)``."""

    boxes: Array
    scores: Array
    labels: Array


def decode(offsets: Array, anchors: Array, coding: dict[str, Any]) -> Array:
    """Boxes ``(n, 4)`` from offsets ``(n, 4)`` and the anchors ``(n, 4)`` they start from."""
    size = anchors[:, 2:] - anchors[:, :2]
    centre = anchors[:, :2] + 0.5 * size
    if coding["kind"] == "distances":
        distances = offsets * np.concatenate([size, size], axis=1)
        return np.concatenate([centre - distances[:, :2], centre + distances[:, 2:]], axis=1)
    offsets = offsets / np.asarray(coding["weights"], offsets.dtype)
    moved = offsets[:, :2] * size + centre
    half = 0.5 * np.exp(np.minimum(offsets[:, 2:], np.float32(coding["clip"]))) * size
    return np.concatenate([moved - half, moved + half], axis=1)


def clip(boxes: Array, height: int, width: int) -> Array:
    """The part of each box that is on the image."""
    return np.clip(boxes, 0, np.array([width, height, width, height], boxes.dtype))


def best(scores: Array, most: int) -> Array:
    """Indices of the highest scores, best first, at most so many (0: all of them)."""
    order = np.argsort(-scores, kind="stable")
    return order[:most] if most else order


def overlap(box: Array, others: Array) -> Array:
    """Intersection over union of one box ``(4,)`` with others ``(n, 4)``; NaN where both are empty."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    intersection = np.prod(np.maximum(shared, 0), axis=1)
    with np.errstate(invalid="ignore"):
        return intersection / (_area(box[None]) + _area(others) - intersection)


def _area(boxes: Array) -> Array:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def suppress(boxes: Array, scores: Array, groups: Array, iou_threshold: float) -> Array:
    """Indices that non-maximum suppression keeps, best first; boxes of different groups leave each other alone."""
    kept = [
        index for group in np.unique(groups) for index in _suppress_one(boxes, scores, groups == group, iou_threshold)
    ]
    chosen = np.asarray(kept, np.int64)
    return chosen[best(scores[chosen], 0)]


def _suppress_one(boxes: Array, scores: Array, members: Array, iou_threshold: float) -> list[int]:
    left = np.flatnonzero(members)
    left = left[best(scores[left], 0)]
    kept = []
    while left.size:
        kept.append(int(left[0]))
        left = left[1:][~(overlap(boxes[left[0]], boxes[left[1:]]) > iou_threshold)]
    return kept
