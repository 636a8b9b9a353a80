"""Sizes and times as a person writes them: ``6 GiB``, ``10 min``."""

from __future__ import annotations

import re

from verify.errors import InputError

_BYTES = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SECONDS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_bytes(value: str | float) -> int:
    """Bytes of ``6 GiB``, ``5 MB`` or a plain number of them; raises ``InputError``."""
    return int(_quantity(value, _BYTES, "b", "a size", "6 GiB (of 1024³ bytes) or 5 MB (of 1000²)"))


def parse_seconds(value: str | float) -> float:
    """Seconds of ``10 min``, ``2 h`` or a plain number of them; raises ``InputError``."""
    return _quantity(value, _SECONDS, "s", "a time", "90 s, 10 min or 2 h")


def _quantity(value: str | float, units: dict[str, int], plain: str, kind: str, examples: str) -> float:
    match = _QUANTITY.fullmatch(str(value))
    factor = units.get((match[2] or plain).lower()) if match else None
    if match is None or factor is None or float(match[1]) <= 0:
        raise InputError(f"{value!r} is not {kind} above zero", fix=f"write it as {examples}")
    return float(match[1]) * factor
