"""What alignment finds: judged tensors with their counterparts, and the ops that lead to each from others."""

from __future__ import annotations

from dataclasses import dataclass

from verify.localise.axes import AxisMap
from verify.localise.graph import Op
from verify.localise.steps import Values


@dataclass(frozen=True)
class OwnError:
    """A quantized op's own error in its worst channel, as a multiple of what its rounding explains."""

    multiple: float
    channel: int
    steps: float | None = None
    """The same error, root mean square, in steps of the output's scale."""


@dataclass(frozen=True)
class Aligned:
    """A judged tensor that is the trusted model's ``trusted``.

    ``ops`` give it from tensors that are aligned too; ``local_sqnr_db`` is what they do with the trusted model's
    values: ``None`` for no error at all, as in :class:`verify.report.verification.Layer`. ``rearranged`` tensors hold
    what one before them holds. ``how`` is ``input``, ``fingerprint``, ``structure`` or ``output``.
    """

    tensor: str
    trusted: str
    axes: AxisMap
    how: str
    ops: tuple[Op, ...] = ()
    local_sqnr_db: float | None = None
    rearranged: bool = False
    local_levels: float | None = None
    """The local error, root mean square, in steps of the scale of a quantized output."""
    stored_levels: float | None = None
    """The same against what the tensor's range can hold of the trusted values: without what it clips."""
    scales: Values | None = None
    """Of each channel, the last axis: the judged tensor is the trusted one times this, as equalised weights make it."""
    own_error: OwnError | None = None
    """Of a quantized op, where the trusted model's ops could be run on what it was fed."""
