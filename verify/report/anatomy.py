"""The inside of an int8 file, layer by layer: where accuracy goes, what ranges hold, what stays in float, what weighs.

Decided where the file was made; renderings show it.
"""

from __future__ import annotations

from dataclasses import dataclass

ANATOMY_VERSION = "1"
INPUT = "INPUT"
"""Stands for the op of what the file takes."""

IDENTICAL_DB = 120.0
"""Stands for any SQNR from here on, and for no error at all."""


@dataclass(frozen=True)
class ActivationRange:
    """What a tensor can hold and what the samples put there, in real units.

    ``below`` and ``above`` are the shares of the float model's values that lie beyond either end and are clipped to it.
    """

    low: float
    high: float
    seen_low: float
    seen_high: float
    below: float
    above: float

    @property
    def used(self) -> float:
        """The share of the range that the samples came to."""
        seen = min(self.seen_high, self.high) - max(self.seen_low, self.low)
        return max(seen, 0.0) / (self.high - self.low) if self.high > self.low else 0.0

    @property
    def clipped(self) -> float:
        """The share of values that are clipped."""
        return self.below + self.above


@dataclass(frozen=True)
class WeightScales:
    """How weights are stored: ``channels`` scales, the smallest, the median and the largest of them in real units.

    ``unused_levels`` is the share of levels beyond a channel's largest weight, the mean over channels.
    """

    channels: int
    least: float
    median: float
    largest: float
    unused_levels: float | None = None


@dataclass(frozen=True)
class LayerAnatomy:
    """One op of the int8 file. SQNR in dB against the float model, at most 120; ``None`` where it was not measured.

    ``sqnr_db`` is cumulative: both files fed the samples. ``local_sqnr_db`` is of this op alone: fed what the float
    model has there, rounded as its inputs are stored. ``storage_sqnr_db`` is what storing the float model's result
    costs by itself.
    """

    name: str
    """The tensor that it gives."""
    op: str
    modules: tuple[str, ...]
    """PyTorch modules that were fused into it."""
    precision: str
    """``int8``, ``int16`` or ``float``."""
    why_float: str = ""
    sqnr_db: float | None = None
    local_sqnr_db: float | None = None
    storage_sqnr_db: float | None = None
    activation: ActivationRange | None = None
    weights: WeightScales | None = None
    size_bytes: int = 0
    """Of the constants that it is the first to read."""

    @property
    def label(self) -> str:
        """What a person calls it: its modules, or the tensor's name."""
        name = self.name.removeprefix("serving_default_").removesuffix(":0") if self.op == INPUT else self.name
        return " + ".join(self.modules) or name


@dataclass(frozen=True)
class Finding:
    """A layer that loses much. ``layer`` is its place in the list; ``words`` go on from its name."""

    layer: int
    words: str
    """``loses 12 dB, from 30 to 18: a variance in 8 bits …``."""


@dataclass(frozen=True)
class Anatomy:
    """Layers in the order in which they run; ``findings`` are the worst of them, the worst first."""

    samples: int
    file_bytes: int
    layers: tuple[LayerAnatomy, ...]
    findings: tuple[Finding, ...] = ()
    output_db: float | None = None
    """SQNR of the worst output."""
    summary: str = ""
    """One sentence, where layers together do what none of them does."""
    note: str = ""
    """Why something was not measured."""
    schema_version: str = ANATOMY_VERSION
