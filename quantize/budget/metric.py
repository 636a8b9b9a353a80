"""Which measure the labels are for."""

from __future__ import annotations

import numpy as np

from quantize.budget.goal import MetricOption
from verify.errors import SamplesInvalid
from verify.task.average_precision import MeanAp
from verify.task.measures import Array, MeanIou, Measure, TopK

AGREEMENT = "agreement with the float model"

_BY_NAME: dict[MetricOption, Measure] = {
    MetricOption.TOP_1: TopK(1),
    MetricOption.TOP_5: TopK(5),
    MetricOption.MEAN_IOU: MeanIou(),
    MetricOption.MEAN_AP: MeanAp(),
}
_BOX = 5


def measure_for(asked: MetricOption, truth: Array | None) -> Measure | None:
    """The measure that was asked for, or that such labels are for; ``None`` is agreement with the float model.

    Labels are a class a sample: top-1; a class a pixel (n, h, w): mIoU; boxes (n, most, 5): mAP.
    Raises ``SamplesInvalid`` where there are none for what was asked, or where they are for nothing known.
    """
    if asked is MetricOption.AGREEMENT or (truth is None and asked is MetricOption.AUTO):
        return None
    if truth is None:
        raise SamplesInvalid(
            f"--metric {asked} needs labels, and there are none",
            fix="give --eval with labels: a .npz with an array 'truth', or a folder with one folder a class",
        )
    if asked is not MetricOption.AUTO:
        return _BY_NAME[asked]
    if truth.ndim == 1 and truth.dtype.kind in "iu":
        return TopK(1)
    if truth.ndim == 3 and truth.shape[-1] == _BOX and truth.dtype.kind == "f":
        return MeanAp()
    if truth.ndim == 3 and np.asarray(truth).dtype.kind in "iu":
        return MeanIou()
    raise SamplesInvalid(
        f"labels {truth.dtype}{list(truth.shape)} are for no measure that is known: expected integer classes "
        "(samples,) or (samples, height, width), or float boxes (samples, most, 5)",
        fix="name the measure with --metric",
    )
