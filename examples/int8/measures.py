"""What the nets are judged by: top-1, mean intersection over union, mean average precision; numpy only.

Each measure is made of statistics of single samples, so that two models can be compared on the same resamples of them.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]

CLASSES = 10
LEAST_SCORE = 0.05
MOST_OVERLAP = 0.5
"""Of two boxes of one class that both stay."""
LEAST_OVERLAP = 0.5
"""Of a found box and the true one (PASCAL VOC's)."""


class Measure(Protocol):
    """``per_sample`` is (n, …); ``of`` makes one number of some of its rows, larger is better."""

    name: str

    def per_sample(self, outputs: dict[str, Array], truth: Array) -> Floats: ...

    def of(self, rows: Floats) -> float: ...


class TopOne:
    """The share of samples whose largest logit is the label's."""

    name = "top-1"

    def per_sample(self, outputs: dict[str, Array], truth: Array) -> Floats:
        """1 where right, else 0."""
        (logits,) = outputs.values()
        return (logits.argmax(axis=1) == truth).astype(np.float64)

    def of(self, rows: Floats) -> float:
        """The mean."""
        return float(rows.mean())


class MeanIou:
    """Intersection over union of each class over all pixels of all samples, then the mean over classes."""

    name = "mIoU"

    def per_sample(self, outputs: dict[str, Array], truth: Array) -> Floats:
        """(n, classes, 2): pixels in the intersection, and in the union."""
        (logits,) = outputs.values()
        found, classes = logits.argmax(axis=1), logits.shape[1]
        both = [((found == label) & (truth == label)).sum((1, 2)) for label in range(classes)]
        either = [((found == label) | (truth == label)).sum((1, 2)) for label in range(classes)]
        return np.stack([np.stack(both, 1), np.stack(either, 1)], axis=-1).astype(np.float64)

    def of(self, rows: Floats) -> float:
        """The mean over the classes that there are."""
        both, either = rows.sum(axis=0).T
        return float(np.mean(both[either > 0] / either[either > 0]))


class MeanAp:
    """Average precision at an overlap of 0.5, every point of the curve interpolated, then the mean over classes."""

    name = "mAP50"
    MOST_FOUND = 24

    def per_sample(self, outputs: dict[str, Array], truth: Array) -> Floats:
        """(n, rows, 3): class, score and whether it hit, of each box found; then class, -1, 0 of each true one."""
        pairs = zip(outputs["boxes"], outputs["scores"], truth, strict=True)
        rows = np.full((len(truth), self.MOST_FOUND + truth.shape[1], 3), -2.0)
        for at, (boxes, scores, true) in enumerate(pairs):
            known = true[true[:, 4] >= 0]
            listed = [*_found(boxes, scores, known)[: self.MOST_FOUND], *((row[4], -1.0, 0.0) for row in known)]
            rows[at, : len(listed)] = listed
        return rows

    def of(self, rows: Floats) -> float:
        """The mean over the classes that there are."""
        flat = rows.reshape(-1, 3)
        averages = [_average_precision(flat[flat[:, 0] == label, 1:]) for label in range(CLASSES)]
        return float(np.mean([each for each in averages if each is not None]))


def _found(boxes: Array, scores: Array, known: Array) -> list[tuple[float, float, float]]:
    """(class, score, hit) of what stays after non-maximum suppression, the best first."""
    cells, labels = np.nonzero(scores >= LEAST_SCORE)
    order = np.argsort(-scores[cells, labels], kind="stable")
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
        best = max(free, key=lambda at: overlaps[at], default=None)
        hit = best is not None and overlaps[best] >= LEAST_OVERLAP
        if hit:
            taken.add(best)
        found.append((float(label), float(scores[cell, label]), float(hit)))
    return found


def _overlaps(box: Array, others: Array) -> Floats:
    """Intersection over union of one box and (n, 4) others."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    either = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - both
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
