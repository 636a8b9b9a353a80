"""What models are judged by where there are labels: top-k accuracy, mean intersection over union; numpy only.

Each measure is made of statistics of single samples, so that two models can be compared on the same resamples of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]


class Measure(Protocol):
    """``per_sample`` is (n, …) for outputs and truth of n samples; ``of`` makes one number of some of its rows, larger
    is better. Outputs are in PyTorch layout, by name.
    """

    @property
    def name(self) -> str: ...

    def per_sample(self, outputs: Mapping[str, Array], truth: Array) -> Floats: ...

    def of(self, rows: Floats) -> float: ...


@dataclass(frozen=True)
class TopK:
    """The share of samples whose label is among the ``k`` largest logits; logits are (n, classes)."""

    k: int = 1

    @property
    def name(self) -> str:
        """``top-1``."""
        return f"top-{self.k}"

    def per_sample(self, outputs: Mapping[str, Array], truth: Array) -> Floats:
        """1 where right, else 0."""
        (logits,) = outputs.values()
        if self.k == 1:
            return np.asarray(logits.argmax(axis=1) == truth, np.float64)
        best = np.argsort(-logits.astype(np.float64), axis=1, kind="stable")[:, : self.k]
        return np.asarray((best == truth[:, None]).any(axis=1), np.float64)

    def of(self, rows: Floats) -> float:
        """The mean."""
        return float(rows.mean())


class MeanIou:
    """Intersection over union of each class over all pixels of all samples, then the mean over classes.

    Logits are (n, classes, h, w), truth is (n, h, w); a pixel of no class (255, say) is not counted.
    """

    name = "mIoU"

    def per_sample(self, outputs: Mapping[str, Array], truth: Array) -> Floats:
        """(n, classes, 2): pixels in the intersection, and in the union."""
        (logits,) = outputs.values()
        found, classes = logits.argmax(axis=1), logits.shape[1]
        labelled = (truth >= 0) & (truth < classes)  # type: ignore[operator]  # labels are numbers
        both = [((found == label) & (truth == label)).sum((1, 2)) for label in range(classes)]
        either = [(labelled & ((found == label) | (truth == label))).sum((1, 2)) for label in range(classes)]
        return np.asarray(np.stack([np.stack(both, 1), np.stack(either, 1)], axis=-1), np.float64)

    def of(self, rows: Floats) -> float:
        """The mean over the classes that there are."""
        both, either = rows.sum(axis=0).T
        return float(np.mean(both[either > 0] / either[either > 0]))
