"""What a rewrite did, or why it declined."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RewriteNote:
    """One rewrite on one node. ``applied`` false is a refusal, and ``reason`` says why with the values that decided."""

    rewrite: str
    subject: str
    applied: bool
    reason: str
