"""SSD, RetinaNet and FCOS: from the network's outputs to detections, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from boxes import Array, Detections, best, clip, decode, suppress


def detect(outputs: dict[str, Array], detector: dict[str, Any], anchors: Array) -> Detections:
    """Detections of one image from the network's outputs, each with a batch of 1.

    ``detector`` is ``MODEL.detector.json``, ``anchors`` is ``MODEL.anchors.npy``.
    """
    scores = _scores(outputs, detector["kind"])
    offsets = outputs["bbox_regression"][0]
    picks = _by_class(scores, detector) if detector["kind"] == "ssd" else _by_level(scores, detector)
    which, labels = picks
    boxes = decode(offsets[which], anchors[which], detector["coding"])
    boxes = clip(boxes, detector["image_height"], detector["image_width"])
    values = scores[which, labels]
    selection = detector["selection"]
    kept = suppress(boxes, values, labels, selection["nms_iou_threshold"])[: selection["after_nms"]]
    return Detections(boxes[kept], values[kept], labels[kept])


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), without overflow."""
    return np.exp(-np.logaddexp(0, -x))


def softmax(x: Array) -> Array:
    """Over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _scores(outputs: dict[str, Array], kind: str) -> Array:
    """``(anchors, classes)``; for SSD class 0 is the background."""
    logits = outputs["cls_logits"][0]
    if kind == "ssd":
        return softmax(logits)
    if kind == "fcos":
        return np.sqrt(sigmoid(logits) * sigmoid(outputs["bbox_ctrness"][0]))
    return sigmoid(logits)


def _by_class(scores: Array, detector: dict[str, Any]) -> tuple[Array, Array]:
    """The best anchors of each class but the background: their indices, and their classes."""
    selection = detector["selection"]
    which, labels = [], []
    for label in range(1, scores.shape[1]):
        above = np.flatnonzero(scores[:, label] > selection["score_threshold"])
        above = above[best(scores[above, label], selection["before_nms"])]
        which.append(above)
        labels.append(np.full(len(above), label))
    return np.concatenate(which), np.concatenate(labels)


def _by_level(scores: Array, detector: dict[str, Any]) -> tuple[Array, Array]:
    """The best pairs of anchor and class of each level."""
    selection = detector["selection"]
    which, labels = [], []
    start = 0
    for count in detector["anchors_per_level"]:
        flat = scores[start : start + count].reshape(-1)
        above = np.flatnonzero(flat > selection["score_threshold"])
        above = above[best(flat[above], selection["before_nms"])]
        which.append(start + above // scores.shape[1])
        labels.append(above % scores.shape[1])
        start += count
    return np.concatenate(which), np.concatenate(labels)
