"""Which layer goes wrong by itself: the first whose own error neither rounding nor quantization explains."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from verify.localise.aligned import Aligned

FLOAT_BOUND_DB = 90.0
"""A float op that is fed the same values differs by rounding: 120 dB and more in the nets of the int8 table, both ways
between ONNX and TFLite. The smallest faults tried, an epsilon or one weight in many, leave 40 to 75."""

FLOAT_BELOW_OTHERS_DB = 20.0
"""A model whose layers all are further off, as one with half-precision weights, has no single culprit."""

QUANTIZED_BOUND_DB = 25.0
QUANTIZED_BELOW_OTHERS_DB = 12.0

MOST_LEVELS = 4.0
"""A quantized op that is right is off by about one level of its output's scale (root mean square)."""


def culprit_of(layers: Sequence[Aligned], *, quantized: bool) -> Aligned | None:
    """The first of the layers, in the order in which they are computed, whose local error is a fault; or none."""
    usual = statistics.median([_decibels(each) for each in layers] or [math.inf])
    return next((each for each in layers if _is_fault(each, usual, quantized=quantized)), None)


def _is_fault(layer: Aligned, usual_db: float, *, quantized: bool) -> bool:
    local = _decibels(layer)
    if local == -math.inf:
        return True
    if not quantized:
        return local < FLOAT_BOUND_DB and local < usual_db - FLOAT_BELOW_OTHERS_DB
    if layer.local_levels is not None:
        return layer.local_levels > MOST_LEVELS and local < QUANTIZED_BOUND_DB
    return local < QUANTIZED_BOUND_DB and local < usual_db - QUANTIZED_BELOW_OTHERS_DB


def explanation_of(layer: Aligned, layers: Sequence[Aligned], *, quantized: bool) -> str:
    """One sentence with the numbers that decided."""
    others = [_decibels(each) for each in layers if each is not layer]
    usual = statistics.median(others) if others else math.inf
    told = "exact" if usual == math.inf else f"{usual:.0f} dB"
    own = _decibels(layer)
    given = "something of another size, or not finite" if own == -math.inf else f"{own:.0f} dB"
    ops = " → ".join(f"{op.kind} {op.index}" for op in layer.ops)
    text = f"{ops}, fed what the trusted model has there, gives {given}; the median of the other layers is {told}"
    if quantized and layer.local_levels is not None and math.isfinite(layer.local_levels):
        text += f"; its error is {layer.local_levels:.1f} levels of its output's scale"
    return text + "."


def _decibels(layer: Aligned) -> float:
    return math.inf if layer.local_sqnr_db is None else layer.local_sqnr_db
