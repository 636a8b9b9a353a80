"""Ops that LiteRT 2.1.0 computes on int8 and ai-edge-quantizer 0.4.1 has no rule for, and what their kernels ask for.

Each was checked in the kernel's ``Prepare`` (LiteRT v2.1.0, ``tflite/kernels``) and run as a one-op file (a test each).
CONV_3D, CUMSUM, POW, SIN, COS, FLOOR, CEIL, ROUND, SIGN and ATAN2 were tried too: float only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ScaleConstraint(StrEnum):
    """Which of an op's tensors share one scale and zero point."""

    NONE = "none"
    AS_INPUT = "as_input"
    AS_OUTPUT = "as_output"
    FIXED_OUTPUT = "fixed_output"


@dataclass(frozen=True)
class Stored:
    """The one scale and zero point that a kernel gives its results in."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Kernel:
    """What an int8 kernel asks of its tensors. ``output`` goes with ``FIXED_OUTPUT`` only."""

    constraint: ScaleConstraint
    output: Stored | None = None


_FREE = ("ABS", "ARG_MAX", "ARG_MIN", "ELU", "EXP", "GREATER", "GREATER_EQUAL", "LEAKY_RELU", "LESS", "LESS_EQUAL")
_FREE_TOO = ("LOG", "PRELU", "REDUCE_PROD", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1")
_MOVING = ("BATCH_TO_SPACE_ND", "DEPTH_TO_SPACE", "EXPAND_DIMS", "FILL", "MATRIX_DIAG", "REDUCE_MAX", "REVERSE_V2")
_MOVING_TOO = ("RESIZE_NEAREST_NEIGHBOR", "SCATTER_ND", "SPACE_TO_BATCH_ND", "SPLIT_V", "SQUEEZE", "TILE", "TOPK_V2")

INT8_KERNELS: Mapping[str, Kernel] = {
    **dict.fromkeys(_FREE + _FREE_TOO, Kernel(ScaleConstraint.NONE)),
    **dict.fromkeys(_MOVING + _MOVING_TOO, Kernel(ScaleConstraint.AS_INPUT)),
    "MINIMUM": Kernel(ScaleConstraint.AS_OUTPUT),
    "L2_NORMALIZATION": Kernel(ScaleConstraint.FIXED_OUTPUT, Stored(1 / 128, 0)),
    "LOG_SOFTMAX": Kernel(ScaleConstraint.FIXED_OUTPUT, Stored(16 / 256, 127)),
}
"""By TFLite's own names."""

FIXED_BY_LIBRARY = frozenset({"LOGISTIC", "SOFTMAX", "TANH"})
"""Ops whose results the library itself stores at the kernel's fixed scale."""
