"""Numbers as people read them: one decimal where it matters, a unit always, and never an empty cell."""

from __future__ import annotations

import math

from verify.signature import Dim, TensorSpec

NOTHING = "–"
"""Stands where something was not measured."""

_AXES = {4: "NCHW", 5: "NCDHW"}


def decibels(value: float | None) -> str:
    """``113.2 dB``."""
    return NOTHING if value is None else f"{value:.1f} dB" if math.isfinite(value) else "not finite"


def size(size_bytes: int | None) -> str:
    """Decimal units, as file managers show them: ``812 kB``, ``46.8 MB``, ``1.25 GB``."""
    if size_bytes is None:
        return NOTHING
    if size_bytes < 1000:
        return f"{size_bytes} B"
    for unit, bytes_per_unit in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        amount = size_bytes / bytes_per_unit
        if amount < 999.5 or unit == "GB":
            break
    return f"{three_digits(amount)} {unit}"


def milliseconds(value: float | None) -> str:
    """``12.4 ms``, ``0.031 ms``."""
    if value is None:
        return NOTHING
    return f"{float(f'{value:.2g}'):g} ms" if 1e-4 <= value < 1 else f"{three_digits(value)} ms"


def seconds(value: float) -> str:
    """``0.4 s``, ``12.5 s``, ``2 min 05 s``."""
    if value < 99.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def percent(share: float | None) -> str:
    """A share as ``99.2 %``; ``100 %`` only when it is all."""
    if share is None:
        return NOTHING
    text = f"{share * 100:.1f}"
    if text == "100.0":
        return "100 %" if share == 1 else "99.9 %"
    return f"{text} %"


def share(value: float | None) -> str:
    """One size over another, in whole percent: ``25 %``."""
    return NOTHING if value is None else f"{value * 100:.0f} %"


def error(value: float | None) -> str:
    """A number of any size: ``0.127``, ``4.80``, ``3.1e-6``, ``0``, ``not finite``."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return "not finite"
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return three_digits(value)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def times(multiple: float | None) -> str:
    """A multiple: ``0.8×``, ``140×``, ``3.1e7×``."""
    if multiple is None:
        return NOTHING
    if not math.isfinite(multiple):
        return "not finite"
    if multiple == 0:
        return "0×"
    return (
        f"{multiple:.1f}×"
        if 0.05 <= multiple < 10
        else f"{multiple:,.0f}×"
        if 10 <= multiple < 1e4
        else f"{error(multiple)}×"
    )


def three_digits(value: float) -> str:
    """Three significant digits without an exponent: ``0.0312``, ``2.04``, ``46.8``, ``137``, ``5,012``."""
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{value:,.{min(decimals, 6)}f}"


def count(number: int, noun: str) -> str:
    """``1 op``, ``4 ops``, ``11,689,512 parameters``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def dims(shape: tuple[Dim, ...]) -> str:
    """``N × 3 × 224 × 224``; ``scalar`` for none."""
    return " × ".join(str(dim) for dim in shape) or "scalar"


def way(exporter: str, lowering: str) -> str:
    """``newer exporter, exact lowering``; from ONNX, where nothing is exported, ``exact lowering``."""
    parts = (exporter and f"{exporter} exporter", lowering and f"{lowering} lowering")
    return ", ".join(part for part in parts if part)


def layout(spec: TensorSpec) -> str:
    """The axis order by letters where PyTorch has a usual one (``NHWC``), as a permutation elsewhere."""
    rank = len(spec.shape)
    letters = _AXES.get(rank)
    if spec.permutation is None:
        return letters or "as PyTorch"
    if letters is None or len(spec.permutation) != rank:
        return f"axes {', '.join(str(axis) for axis in spec.permutation)} of PyTorch’s"
    return "".join(letters[axis] for axis in spec.permutation)


def printable(text: str) -> str:
    r"""The text on one line with control and invisible characters spelled out (``\x1b``): safe on a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def joined(parts: tuple[str, ...]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def op_counts(counts: tuple[tuple[str, int], ...]) -> str:
    """``CONV_2D ×20, ADD ×8``."""
    return ", ".join(f"{op} ×{number}" for op, number in counts) or NOTHING
