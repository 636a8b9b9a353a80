"""What a worker inherits: our import path, and our environment with what keeps the libraries quiet and alike."""

from __future__ import annotations

import os
import sys

QUIET_LIBRARIES = {
    "TF_CPP_MIN_LOG_LEVEL": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_USE_LEGACY_KERAS": "1",
    "PYTHONUNBUFFERED": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENBLAS_NUM_THREADS": "1",
}
"""For the child only: no GPU, plain TensorFlow kernels (oneDNN reorders sums), and the Keras that onnx2tf needs.

numpy's products of matrices come out the same on every machine, and small ones (GPTQ's) take half the time alone.
Waiting threads sleep: on busy cores torch's spinning ones cost MobileNetV2's reference run 6.5 s instead of 0.5.
"""


def import_path() -> list[str]:
    """Our ``sys.path``, for the child."""
    return [entry for entry in sys.path if isinstance(entry, str)]


def worker_environment() -> dict[str, str]:
    """Our environment, and what keeps the libraries quiet."""
    return {**os.environ, **QUIET_LIBRARIES}
