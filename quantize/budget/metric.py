"""Which measure the labels are for."""

from __future__ import annotations

from quantize.budget.goal import MetricOption
from verify.errors import SamplesInvalid
from verify.task.average_precision import MeanAp
from verify.task.labels import measure_of
from verify.task.measures import Array, MeanIou, Measure, TopK

AGREEMENT = "agreement with the float model"

_BY_NAME: dict[MetricOption, Measure] = {
    MetricOption.TOP_1: TopK(1),
    MetricOption.TOP_5: TopK(5),
    MetricOption.MEAN_IOU: MeanIou(),
    MetricOption.MEAN_AP: MeanAp(),
}


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
    return measure_of(truth)
