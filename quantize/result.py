"""What a quantization made, and what it left undone and why."""

from __future__ import annotations

from dataclasses import dataclass

from quantize.budget.report import BudgetReport
from quantize.recipe import Recipe
from verify.report.anatomy import Anatomy
from verify.signature import Signature


@dataclass(frozen=True)
class FloatOp:
    """An op type that was left in float, in how many places, and why. A refusal carries its reason."""

    op: str
    count: int
    reason: str
    remedy: str = ""
    tensors: tuple[str, ...] = ()
    """The first tensor that each gives, where the file is a static one."""


@dataclass(frozen=True)
class QuantizationResult:
    """``signature`` is the new file's own: names, dtypes, dynamic dims, scale and zero point of inputs and outputs.

    ``recipe`` (static int8 only) holds the ranges that were used, and remakes the same bytes; ``budget`` what was
    tried to keep one; ``anatomy`` what the file is like inside, where there were samples to look with.
    """

    signature: Signature
    float_ops: tuple[FloatOp, ...] = ()
    recipe: Recipe | None = None
    notes: tuple[str, ...] = ()
    budget: BudgetReport | None = None
    anatomy: Anatomy | None = None
