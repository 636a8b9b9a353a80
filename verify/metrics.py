"""How far two arrays are apart: pure numpy, float64 inside, and NaN or infinity in means NaN or infinity out.

Nothing here drops or replaces a value. Whoever compares a metric with a limit writes ``value <= limit``, which NaN
does not pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class ErrorSums:
    """Everything that sums up over batches: add the parts, then ask."""

    count: int = 0
    signal_energy: float = 0.0
    """Σ expected²"""
    actual_energy: float = 0.0
    """Σ actual²"""
    product: float = 0.0
    """Σ expected · actual"""
    error_energy: float = 0.0
    """Σ (expected - actual)²"""
    max_abs_error: float = 0.0
    max_abs_expected: float = 0.0

    def __add__(self, other: ErrorSums) -> ErrorSums:
        return ErrorSums(
            self.count + other.count,
            self.signal_energy + other.signal_energy,
            self.actual_energy + other.actual_energy,
            self.product + other.product,
            self.error_energy + other.error_energy,
            _max(self.max_abs_error, other.max_abs_error),
            _max(self.max_abs_expected, other.max_abs_expected),
        )

    @property
    def sqnr_db(self) -> float | None:
        """10·log10(Σ expected² / Σ error²); ``None`` without error or without signal."""
        if self.error_energy == 0 or self.signal_energy == 0:
            return None
        return 10 * (math.log10(self.signal_energy) - math.log10(self.error_energy))

    @property
    def rms_error(self) -> float:
        """Root of the mean squared error; 0 when nothing was compared."""
        return math.sqrt(self.error_energy / self.count) if self.count else 0.0

    @property
    def rms_expected(self) -> float:
        """Root of the mean squared expected value; 0 when nothing was compared."""
        return math.sqrt(self.signal_energy / self.count) if self.count else 0.0

    @property
    def cosine(self) -> float | None:
        """Cosine of the angle between the two, as long vectors; ``None`` when either is zero."""
        norms = math.sqrt(self.signal_energy) * math.sqrt(self.actual_energy)
        return self.product / norms if norms else None


def error_sums(expected: Array, actual: Array) -> ErrorSums:
    """The sums over two arrays of one shape; raises ``ValueError`` for two shapes (nothing is broadcast)."""
    if expected.shape != actual.shape:
        raise ValueError(f"shapes differ: {expected.shape} and {actual.shape}")
    if not expected.size:
        return ErrorSums()
    wanted = expected.astype(np.float64).ravel()
    given = actual.astype(np.float64).ravel()
    with np.errstate(invalid="ignore", over="ignore"):  # infinities propagate: that is the point
        error = wanted - given
        return ErrorSums(
            count=wanted.size,
            signal_energy=float(wanted @ wanted),
            actual_energy=float(given @ given),
            product=float(wanted @ given),
            error_energy=float(error @ error),
            max_abs_error=float(np.abs(error).max()),
            max_abs_expected=float(np.abs(wanted).max()),
        )


def sqnr_db(expected: Array, actual: Array) -> float | None:
    """Signal-to-quantization-noise ratio in dB; ``None`` when there is no error or no signal."""
    return error_sums(expected, actual).sqnr_db


def cosine(expected: Array, actual: Array) -> float | None:
    """Cosine similarity of the arrays as long vectors; ``None`` when either is zero."""
    return error_sums(expected, actual).cosine


def max_ulp(expected: npt.NDArray[np.float32], actual: npt.NDArray[np.float32]) -> int | None:
    """Largest distance in representable float32 values; ``None`` when a value is not finite.

    Floats of one sign are ordered as their bits are; negative ones are mirrored so that -0 and +0 coincide.
    """
    if not (np.isfinite(expected).all() and np.isfinite(actual).all()):
        return None
    if not expected.size:
        return 0
    return int(np.abs(_ordinal(expected) - _ordinal(actual)).max())


def _ordinal(array: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    bits = np.ascontiguousarray(array, np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _max(left: float, right: float) -> float:
    """The larger; NaN wins, whichever side it is on."""
    return float(np.maximum(left, right))
