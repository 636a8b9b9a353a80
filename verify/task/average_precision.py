"""Mean average precision of detectors that give ``boxes`` and ``scores``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from verify.task.measures import Array, Floats

LEAST_SCORE = 0.05
MOST_OVERLAP = 0.5
"""Of two boxes of one class that both stay."""
LEAST_OVERLAP = 0.5
"""Of a found box and the true one (PASCAL VOC's)."""
MOST_FOUND = 100
"""Boxes of one sample that count, the best first (COCO's)."""
_NO_BOX = -2.0


class MeanAp:
    """Average precision at an overlap of 0.5, every point of the curve interpolated, then the mean over classes.

    Outputs are ``boxes`` (n, found, 4: left, top, right, bottom) and ``scores`` (n, found, classes), in any order and
    before non-maximum suppression; truth is (n, most, 5: box and class), with class -1 where there is no more box.
    """

    name = "mAP50"

    def per_sample(self, outputs: Mapping[str, Array], truth: Array) -> Floats:
        """(n, rows, 3): class, score and whether it hit, of each box found; then class, -1, 0 of each true one."""
        true_boxes = truth.astype(np.float64)
        pairs = zip(outputs["boxes"], outputs["scores"], true_boxes, strict=True)
        rows = np.full((len(truth), MOST_FOUND + truth.shape[1], 3), _NO_BOX)
        for at, (boxes, scores, true) in enumerate(pairs):
            known = true[true[:, 4] >= 0]
            listed = [*_found(boxes, scores, known)[:MOST_FOUND], *((row[4], -1.0, 0.0) for row in known)]
            rows[at, : len(listed)] = listed
        return rows

    def of(self, rows: Floats) -> float:
        """The mean over the classes that there are."""
        flat = rows.reshape(-1, 3)
        flat = flat[flat[:, 0] != _NO_BOX]
        averages = [_average_precision(flat[flat[:, 0] == label, 1:]) for label in np.unique(flat[:, 0])]
        return float(np.mean([each for each in averages if each is not None]))


def _found(boxes: Array, scores: Array, known: Floats) -> list[tuple[float, float, float]]:
    """(class, score, hit) of what stays after non-maximum suppression, the best first."""
    cells, labels = np.nonzero(scores.astype(np.float64) >= LEAST_SCORE)
    order = np.argsort(-scores[cells, labels].astype(np.float64), kind="stable")
    kept: list[tuple[int, int]] = []
    for cell, label in zip(cells[order], labels[order], strict=True):
        same = [boxes[other] for other, its in kept if its == label]
        if not same or _overlaps(boxes[cell], np.stack(same)).max() < MOST_OVERLAP:
            kept.append((int(cell), int(label)))
    taken: set[int] = set()
    found = []
    for cell, label in kept:
        overlaps = _overlaps(boxes[cell], known[:, :4]) if len(known) else np.zeros(0)
        free = [at for at, true in enumerate(known) if int(true[4]) == label and at not in taken]
        best = max(free, key=lambda at: float(overlaps[at]), default=None)
        hit = best is not None and overlaps[best] >= LEAST_OVERLAP
        if best is not None and hit:
            taken.add(best)
        found.append((float(label), float(scores[cell, label]), float(hit)))
    return found


def _overlaps(box: Array, others: Array) -> Floats:
    """Intersection over union of one box and (n, 4) others."""
    one, many = box.astype(np.float64), others.astype(np.float64)
    low, high = np.maximum(one[:2], many[:, :2]), np.minimum(one[2:], many[:, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    either = np.prod(one[2:] - one[:2]) + np.prod(many[:, 2:] - many[:, :2], axis=1) - both
    return np.asarray(both / np.maximum(either, 1e-9), np.float64)


def _average_precision(rows: Floats) -> float | None:
    """Of (score, hit) rows, those of true boxes scored -1; ``None`` without any true box."""
    true_count = int((rows[:, 0] == -1).sum())
    if not true_count:
        return None
    found = rows[rows[:, 0] >= 0]
    hits = found[np.argsort(-found[:, 0], kind="stable"), 1]
    if not len(hits):
        return 0.0
    right = np.cumsum(hits)
    precision = np.maximum.accumulate((right / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(np.sum(precision * hits) / true_count)
