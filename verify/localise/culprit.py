"""Which layer goes wrong by itself: the first whose own error neither rounding nor quantization explains."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from verify.localise.aligned import Aligned, OwnError
from verify.report import words

FLOAT_BOUND_DB = 90.0
"""A float op that is fed the same values differs by rounding: 120 dB and more in the nets of the int8 table, both ways
between ONNX and TFLite. The smallest faults tried, an epsilon or one weight in many, leave 40 to 75."""

FLOAT_BELOW_OTHERS_DB = 20.0
"""A model whose layers all are further off, as one with half-precision weights, has no single culprit."""

QUANTIZED_BOUND_DB = 25.0
QUANTIZED_BELOW_OTHERS_DB = 12.0

MOST_LEVELS = 4.0
"""A quantized op that is right is off by about one level of its output's scale (root mean square)."""

FEWEST_LEVELS = 2.0
TIMES_THE_USUAL_LEVELS = 5.0
"""In a model whose layers are off by less, as most are (0.3 to 0.6 levels), less is a fault."""


MOST_TIMES_ROUNDING = 4.0
"""A quantized op's own error in its worst channel, against what rounding its output and weights explains."""

MOST_TIMES_ROUNDING_OF_SEVERAL = 8.0
"""The same of several ops in a row of which only the last one's output is known."""


def beyond_rounding(layers: Sequence[Aligned]) -> Aligned | None:
    """The first quantized layer, in order, that is off by more than its own rounding explains; or none."""
    return next((each for each in layers if _is_beyond(each)), None)


def _is_beyond(layer: Aligned) -> bool:
    if layer.own_error is None:
        return False
    bound = MOST_TIMES_ROUNDING if len(layer.ops) == 1 else MOST_TIMES_ROUNDING_OF_SEVERAL
    return layer.own_error.multiple > bound


def culprit_of(layers: Sequence[Aligned], *, quantized: bool) -> Aligned | None:
    """The first of the layers, in the order in which they are computed, whose local error is a fault; or none."""
    usual = statistics.median([_decibels(each) for each in layers] or [math.inf])
    bound = _levels_bound(layers)
    found = next((each for each in layers if _is_fault(each, usual, bound, quantized=quantized)), None)
    return found if found is None else _too_narrow(found, layers) or found


def _levels_bound(layers: Sequence[Aligned]) -> float:
    usual = statistics.median([each.stored_levels for each in layers if each.stored_levels is not None] or [0.0])
    return min(max(TIMES_THE_USUAL_LEVELS * usual, FEWEST_LEVELS), MOST_LEVELS)


def _too_narrow(reader: Aligned, layers: Sequence[Aligned]) -> Aligned | None:
    """The layer whose range clips what a culprit reads: not the reader is wrong then.

    A range may clip by intent, as before a sigmoid; only a reader that goes wrong by it tells that it must not.
    """
    read = {tensor for op in reader.ops for tensor in op.inputs}
    return next((each for each in layers if each.tensor in read and _clips(each)), None)


def _clips(layer: Aligned) -> bool:
    return (layer.local_levels or 0.0) > MOST_LEVELS >= (layer.stored_levels or 0.0)


def _is_fault(layer: Aligned, usual_db: float, levels_bound: float, *, quantized: bool) -> bool:
    local = _decibels(layer)
    if local == -math.inf:
        return True
    if not quantized:
        return local < FLOAT_BOUND_DB and local < usual_db - FLOAT_BELOW_OTHERS_DB
    levels = layer.local_levels if layer.how == "output" else layer.stored_levels
    if levels is not None:
        return levels > levels_bound and local < QUANTIZED_BOUND_DB
    return local < QUANTIZED_BOUND_DB and local < usual_db - QUANTIZED_BELOW_OTHERS_DB


def explanation_of(layer: Aligned, layers: Sequence[Aligned], *, quantized: bool, sizes: str = "") -> str:
    """One sentence with the numbers that decided; ``sizes`` are the given and the expected, where they differ."""
    if layer.own_error is not None and _is_beyond(layer):
        return _beyond_explanation(layer, layer.own_error)
    others = [_decibels(each) for each in layers if each is not layer]
    usual = statistics.median(others) if others else math.inf
    told = "exact" if usual == math.inf else f"{usual:.0f} dB"
    own = _decibels(layer)
    given = f"gives {sizes or 'values that are not finite'}"
    if math.isfinite(own):
        given = f"is off by {100 * 10 ** (-own / 20):.2g} % of what it should give ({own:.0f} dB SQNR)"
    ops = " → ".join(f"{op.kind} {op.index}" for op in layer.ops)
    text = f"{ops}, fed what the trusted model has there, {given}; the median of the other layers is {told}"
    if quantized and layer.local_levels is not None and math.isfinite(layer.local_levels):
        text += f"; its error is {layer.local_levels:.1f} levels of its output's scale"
    return text + "."


def _decibels(layer: Aligned) -> float:
    return math.inf if layer.local_sqnr_db is None else layer.local_sqnr_db


def _beyond_explanation(layer: Aligned, error: OwnError) -> str:
    ops = " → ".join(f"{op.kind} {op.index}" for op in layer.ops)
    if not math.isfinite(error.multiple):
        return f"{ops}, fed what the trusted model has there, gives something of another size, or not finite."
    told = f"{ops}, fed what the trusted model has there, is off by {words.times(error.multiple)} what its own rounding"
    steps = "" if error.steps is None else f": {words.three_digits(error.steps)} steps of its output's scale"
    return f"{told} explains{steps} in channel {error.channel}."
