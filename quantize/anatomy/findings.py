"""Which layers lose most, and why, in words.

Noise beside signal is what adds up: from 20 to 10 dB is much, from 60 to 50 dB next to nothing. What counts first is
the noise that a layer makes by itself, then how far it lets noise that enters grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quantize.anatomy.side_by_side import LOW_DB, Step
from quantize.calibration.effects import Effect
from verify.report.anatomy import IDENTICAL_DB, Finding, LayerAnatomy

MOST = 5
_GROWN = 1 / 30
"""What noise counts that only grew in a layer, beside noise that it made."""

_LEAST_LOSS_DB = 3.0
_TOGETHER_DB = 6.0
_FEW_LEVELS = 0.25
_MUCH_CLIPPED = 0.005
_APART = 30.0
"""Times by which scales of weights differ that is worth a word."""


def findings(steps: Sequence[Step], layers: Sequence[LayerAnatomy]) -> tuple[Finding, ...]:
    """Of the layers that were measured, the worst first; ``layers`` begin with those of ``steps``."""
    reached: dict[int, LayerAnatomy] = {}
    found: list[tuple[float, Finding]] = []
    for number, (step, layer) in enumerate(zip(steps, layers, strict=False)):
        after, local = layer.sqnr_db, layer.local_sqnr_db
        if after is None or local is None:
            continue
        entering = [reached[at] for at in step.entering if at in reached]
        before = min((each.sqnr_db for each in entering if each.sqnr_db is not None), default=IDENTICAL_DB)
        reached[step.tensor] = layer
        own, grown = _noise(local), _noise(after) - _noise(before) - _noise(local)
        if local < LOW_DB:
            reason = _Reason(step, layer, entering).words()
            found.append((own, Finding(number, f"{_course(before, after, local)}: {reason}")))
        elif grown * _GROWN > _noise(LOW_DB) and before - after > _LEAST_LOSS_DB:
            reason = f"noise that enters it grows, it adds little: {local:.0f} dB by itself"
            found.append((grown * _GROWN, Finding(number, f"{_course(before, after, local)}: {reason}")))
    found.sort(key=lambda each: -each[0])
    return tuple(finding for _, finding in found[:MOST])


def summary(layers: Sequence[LayerAnatomy], output_db: float | None) -> str:
    """Where the file as a whole comes to much less than its worst layer."""
    alone = [layer.local_sqnr_db for layer in layers if layer.local_sqnr_db is not None]
    if output_db is None or not alone or min(alone) >= IDENTICAL_DB:
        return ""
    if output_db < min(alone) - _TOGETHER_DB:
        return (
            f"No layer alone is to blame: the worst gives {min(alone):.0f} dB by itself, and what {len(alone)} layers "
            f"lose comes to {output_db:.0f} dB in the end."
        )
    return "" if min(alone) < LOW_DB else f"No layer costs much: the worst gives {min(alone):.0f} dB by itself."


def _noise(sqnr_db: float) -> float:
    return float(10 ** (-sqnr_db / 10))


def _course(before: float, after: float, local: float) -> str:
    """``loses 22 dB, from 32 to 10``."""
    if before >= IDENTICAL_DB:
        return f"starts at {after:.0f} dB"
    if before - after < 1:
        return f"would give {local:.0f} dB by itself"
    return f"loses {before - after:.0f} dB, from {before:.0f} to {after:.0f}"


@dataclass(frozen=True)
class _Reason:
    """The largest of three parts of what a layer loses by itself: what it takes, what it gives, its weights."""

    step: Step
    layer: LayerAnatomy
    entering: Sequence[LayerAnatomy]

    def words(self) -> str:
        """What follows ``loses 12 dB:``."""
        if self.step.effect is Effect.NORMALISER:
            return (
                f"a variance in {self._bits()}: where it is small, rounding decides it, and something is divided by it"
            )
        local = _noise(self.layer.local_sqnr_db or IDENTICAL_DB)
        result = _noise(self.layer.storage_sqnr_db or IDENTICAL_DB)
        taken = _noise(self.step.inputs_sqnr_db or IDENTICAL_DB)
        if result >= max(taken, local - taken - result):
            return self._of_result()
        if taken >= local - taken - result:
            return self._of_inputs()
        return self._of_arithmetic()

    def _bits(self) -> str:
        return "16 bits" if self.layer.precision == "int16" else "8 bits"

    def _of_result(self) -> str:
        held = self.layer.activation
        if held is not None and held.clipped >= _MUCH_CLIPPED:
            return (
                f"{100 * held.clipped:.1f} % of its values lie beyond what it holds, {held.low:.3g} to {held.high:.3g}"
            )
        if held is not None and held.used < _FEW_LEVELS:
            return f"its values come to {100 * held.used:.0f} % of the range that its levels are spread over"
        return f"its result in {self._bits()}: one step is wide beside most of its values"

    def _of_inputs(self) -> str:
        if self.layer.op in {"SUB", "SQUARED_DIFFERENCE"}:
            return "a difference of numbers much alike, which were rounded before"
        return "what enters it is rounded, and counts for more in what it gives"

    def _of_arithmetic(self) -> str:
        held = self.layer.weights
        if held is None:
            return "its arithmetic in whole numbers"
        if held.unused_levels is not None and held.unused_levels > 1 - _FEW_LEVELS:
            return f"its weights leave {100 * held.unused_levels:.0f} % of their levels unused"
        if self.step.corrected:
            return "its weights and bias in 8 bits, which were fitted to the noise that enters it"
        apart = held.largest / held.least if held.least > 0 else 0.0
        return f"its weights in 8 bits{f', with scales {apart:.0f} times apart' if apart > _APART else ''}"
