"""What stands beside a detector's ONNX file: the numbers of its post-processing, and its anchors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verify.jsonio import to_jsonable

if TYPE_CHECKING:
    from verify.checkpoint.opened import OpenedModel

SETTINGS_SUFFIX = ".detector.json"
ANCHORS_SUFFIX = ".anchors.npy"


def write_detector_files(opened: OpenedModel, onnx_path: Path) -> tuple[str, ...]:
    """Write ``MODEL.detector.json`` and, for an image size that is known, ``MODEL.anchors.npy`` (anchors, 4).

    Returns notes for a person. Nothing is written for a second stage: its boxes come from the network's part.
    """
    from verify.checkpoint.detection import part_of
    from verify.checkpoint.detection_settings import anchors_for

    assert opened.detector is not None
    image = opened.description.inputs[0]
    settings = part_of(opened.detector, "").settings
    if settings is None or image.name == "roi_features":
        return ()
    numbers = to_jsonable(settings)
    notes = []
    height, width = image.shape[-2:]
    if isinstance(height, int) and isinstance(width, int):
        anchors = anchors_for(opened.detector, height, width)
        numbers |= {"image_height": height, "image_width": width, "anchors_per_level": anchors.levels}
        np.save(onnx_path.with_suffix(ANCHORS_SUFFIX), anchors.boxes.numpy().astype(np.float32))
    else:
        notes.append("the image size is dynamic, so no anchors were written: they depend on it")
    onnx_path.with_suffix(SETTINGS_SUFFIX).write_text(json.dumps(numbers, indent=2) + "\n")
    return tuple(notes)
