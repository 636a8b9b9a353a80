"""What a result depends on: our own version and those of the libraries that shaped it."""

from __future__ import annotations

import platform
from importlib import metadata

_LIBRARIES = (
    "pth2tflite",
    "torch",
    "torchvision",
    "timm",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "onnx-ir",
    "tensorflow",
    "onnx2tf",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "numpy",
)


def versions() -> tuple[tuple[str, str], ...]:
    """Library names and versions, ours first; what is not installed is left out."""
    found = []
    for name in _LIBRARIES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return (*found, ("python", platform.python_version()), ("platform", platform.platform()))
