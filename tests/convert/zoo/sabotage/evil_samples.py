"""Calibration data that opens a model of its own, in the process that hosts LiteRT, and takes that process down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def from_a_broken_model() -> Iterator[dict[str, Any]]:
    """Meant to be the features that another model gives; that model's file makes LiteRT abort."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(Path(__file__).with_name("nine_axes.tflite")))
    interpreter.allocate_tensors()
    interpreter.invoke()
    yield {"features": np.zeros((1, 8), np.float32)}
