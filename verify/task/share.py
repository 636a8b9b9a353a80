"""Shares as people write them on a command line: in percent, or as a number from 0 to 1."""

from __future__ import annotations

from verify.errors import InputError


def parse_share(text: str, option: str) -> float:
    """``0.5%`` or ``0.005`` → 0.005. Raises ``InputError`` for what is no share, or is more likely meant in percent."""
    percent = text.strip().endswith("%")
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError:
        number = -1.0
    found = number / 100 if percent else number
    if not 0 <= found <= 1:
        raise InputError(
            f"{option} {text} is no share", fix=f"give a percentage, {option} 0.5%, or a number from 0 to 1"
        )
    return found


def parse_drop(text: str) -> float:
    """As :func:`parse_share`; a bare 0.5 is refused: it is 50 %, which nobody means."""
    found = parse_share(text, "--max-drop")
    if not text.strip().endswith("%") and found > 0.2:
        raise InputError(f"--max-drop {text} is {found:.0%}", fix=f"write --max-drop {text}% or --max-drop {found:.0%}")
    return found
