"""The eleven nets by name: what each is, what it learns from, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from convolutional import DenseNet, PlainCnn, RepVgg, ResNet, merged
from learning import Loss, classification_loss, detection_loss, segmentation_loss
from mobile import EfficientNet, MobileNetV2, MobileNetV3
from scenes import Data, boxes_on_canvases, masks_of_canvases, single_digits
from sequences import RowGru, VitTiny
from spatial import Detector, UNet
from torch import nn

from verify.task.average_precision import MeanAp
from verify.task.measures import MeanIou, Measure, TopK


@dataclass(frozen=True)
class Task:
    """What a net is to do: ``data`` gives a part's, ``outputs`` are what its results are called."""

    name: str
    data: Callable[[str], Data]
    loss: Loss
    measure: Measure
    outputs: tuple[str, ...]


CLASSIFY = Task("digits", single_digits, classification_loss, TopK(), ("logits",))
SEGMENT = Task("masks", masks_of_canvases, segmentation_loss, MeanIou(), ("logits",))
DETECT = Task("boxes", boxes_on_canvases, detection_loss, MeanAp(), ("boxes", "scores"))
TASKS = (CLASSIFY, SEGMENT, DETECT)


@dataclass(frozen=True)
class Subject:
    """One net: what to train, for how many epochs, and what is shipped of it."""

    name: str
    kind: type[nn.Module]
    epochs: int
    task: Task = CLASSIFY
    trained_as: Callable[[], nn.Module] | None = None
    shipped: Callable[[nn.Module], nn.Module] | None = None

    @property
    def file(self) -> str:
        """The file that defines it, beside this one."""
        return f"{self.kind.__module__}.py"


SUBJECTS = (
    Subject("plain_cnn", PlainCnn, 12),
    Subject("resnet", ResNet, 15),
    Subject("mobilenet_v2", MobileNetV2, 20),
    Subject("mobilenet_v3", MobileNetV3, 20),
    Subject("efficientnet", EfficientNet, 20),
    Subject("repvgg", RepVgg, 15, trained_as=partial(RepVgg, branches=True), shipped=merged),
    Subject("densenet", DenseNet, 30),
    Subject("vit_tiny", VitTiny, 60),
    Subject("row_gru", RowGru, 40),
    Subject("unet", UNet, 16, SEGMENT),
    Subject("detector", Detector, 15, DETECT),
)
