"""Detections of one picture from a converted detector: ``python detect.py FOLDER PHOTO [HEAD_FOLDER]``.

FOLDER is what ``convert pth2tflite`` made of the detector; HEAD_FOLDER, for Faster, Mask and Keypoint R-CNN, what it
made with ``--part box_head``. Needs numpy, pillow and ai-edge-litert.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import one_stage
import two_stage
from ai_edge_litert.interpreter import Interpreter
from boxes import Array, Detections
from PIL import Image

_REGIONS_AT_ONCE = 100


def main(folder: Path, photo: Path, head_folder: Path | None = None) -> Detections:
    """Detections with boxes in pixels of the photo."""
    detector: dict[str, Any] = json.loads(next(folder.glob("*.detector.json")).read_text())
    anchors = np.load(next(folder.glob("*.anchors.npy")))
    picture = Image.open(photo).convert("RGB")
    outputs = _runner(folder)(image=_prepared(picture, detector))
    if detector["kind"] == "rcnn":
        if head_folder is None:
            raise SystemExit("this detector has two stages: give the folder of its box head as well")
        run_head = _runner(head_folder)
        found = two_stage.detect(outputs, lambda pooled: _in_portions(run_head, pooled), detector, anchors)
    else:
        found = one_stage.detect(outputs, detector, anchors)
    scale = np.array([picture.width / detector["image_width"], picture.height / detector["image_height"]] * 2)
    return Detections(found.boxes * scale, found.scores, found.labels)


def _prepared(picture: Image.Image, detector: dict[str, Any]) -> Array:
    """The picture as the network takes it: resized, 0 to 1, normalised, ``(1, height, width, 3)``.

    The whole picture is squeezed into the network's size. Trained detectors other than SSD expect its proportions kept:
    choose the size at conversion (``--input image=N,3,HEIGHT,WIDTH``) to suit the pictures.
    """
    resized = picture.resize((detector["image_width"], detector["image_height"]), Image.Resampling.BILINEAR)
    pixels = (np.asarray(resized, np.float32) / 255 - np.float32(detector["mean"])) / np.float32(detector["std"])
    return pixels[None].astype(np.float32)


def _runner(folder: Path) -> Any:
    return Interpreter(str(next(folder.glob("*_float32.tflite")))).get_signature_runner("serving_default")


def _in_portions(run_head: Any, pooled: Array) -> dict[str, Array]:
    portions = [
        run_head(roi_features=part) for part in np.split(pooled, range(_REGIONS_AT_ONCE, len(pooled), _REGIONS_AT_ONCE))
    ]
    return {name: np.concatenate([portion[name] for portion in portions]) for name in portions[0]}


if __name__ == "__main__":
    result = main(*map(Path, sys.argv[1:]))
    for box, score, label in zip(result.boxes, result.scores, result.labels, strict=True):
        print(f"{label:4d}  {score:.3f}  {' '.join(f'{edge:7.1f}' for edge in box)}")
