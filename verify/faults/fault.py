"""What a fault is: one deliberate mistake, put into a model where it applies, or the reason why it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from verify.faults.model import Model
from verify.signature import Signature

T = TypeVar("T")


class NotApplicable(Exception):
    """The model has nothing that the fault could change; the message is the reason, as a phrase."""


@dataclass
class Subject:
    """A copy of a model: its content, and what ``signature.json`` declares of it (``None`` where nothing does)."""

    model: Model
    signature: Signature | None


class Fault(Protocol):
    """One kind of fault. ``kind`` is its short name, ``title`` says what is wrong with a model that has it."""

    @property
    def kind(self) -> str: ...

    @property
    def title(self) -> str: ...

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """Change the subject in place and say where; raises :class:`NotApplicable`."""
        ...


def pick(random: np.random.Generator, candidates: Sequence[T], reason: str) -> T:
    """One of the candidates; raises :class:`NotApplicable` with ``reason`` when there are none."""
    if not candidates:
        raise NotApplicable(reason)
    return candidates[int(random.integers(len(candidates)))]
