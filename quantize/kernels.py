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
    """What an int8 kernel asks of its tensors.

    ``output`` goes with ``FIXED_OUTPUT`` only; ``int16``: it takes such activations too.
    """

    constraint: ScaleConstraint
    output: Stored | None = None
    int16: bool = False


_INT8_ONLY = (
    "ARG_MAX",
    "ARG_MIN",
    "ELU",
    "GREATER",
    "GREATER_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "PRELU",
    "RELU_0_TO_1",
    "RELU_N1_TO_1",
)
_INT16_TOO = ("ABS", "EXP", "LEAKY_RELU", "LOG", "REDUCE_PROD", "RELU6")
_MOVING_INT8_ONLY = ("BATCH_TO_SPACE_ND", "DEPTH_TO_SPACE", "SCATTER_ND", "TILE")
_MOVING = ("EXPAND_DIMS", "FILL", "MATRIX_DIAG", "REDUCE_MAX", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SPLIT_V")
_MOVING_TOO = ("SPACE_TO_BATCH_ND", "SQUEEZE", "TOPK_V2")

KERNELS: Mapping[str, Kernel] = {
    **dict.fromkeys(_INT8_ONLY, Kernel(ScaleConstraint.NONE)),
    **dict.fromkeys(_INT16_TOO, Kernel(ScaleConstraint.NONE, int16=True)),
    **dict.fromkeys(_MOVING_INT8_ONLY, Kernel(ScaleConstraint.AS_INPUT)),
    **dict.fromkeys(_MOVING + _MOVING_TOO, Kernel(ScaleConstraint.AS_INPUT, int16=True)),
    "MINIMUM": Kernel(ScaleConstraint.AS_OUTPUT, int16=True),
    "CAST": Kernel(ScaleConstraint.FIXED_OUTPUT, Stored(1.0, 0)),
    "L2_NORMALIZATION": Kernel(ScaleConstraint.FIXED_OUTPUT, Stored(1 / 128, 0)),
    "LOG_SOFTMAX": Kernel(ScaleConstraint.FIXED_OUTPUT, Stored(16 / 256, 127)),
}
"""By TFLite's own names. A CAST only of booleans: whole numbers may be beyond an int8's."""

FIXED_BY_LIBRARY = frozenset({"LOGISTIC", "SOFTMAX", "TANH"})
"""Ops whose results the library itself stores at the kernel's fixed scale."""
