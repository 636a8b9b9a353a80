"""Drives the pipeline: checkpoint → ONNX → SavedModel → TFLite.

from convert import pth2tflite
report = pth2tflite("resnet18.pth", calib="photos/")
"""

from convert.api import pth2tflite

__all__ = ["pth2tflite"]
