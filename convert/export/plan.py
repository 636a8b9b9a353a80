"""What an export is asked for, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verify.report.types import Refusal
from verify.samples import InputSpec
from verify.signature import Signature

EXPORTERS = ("auto", "newer", "older")


@dataclass(frozen=True)
class ExportPlan:
    """Everything about an export but the module itself.

    ``output_names`` empty means the model's own names (:func:`verify.runners.flatten.flatten_outputs`).
    """

    inputs: tuple[InputSpec, ...]
    output_names: tuple[str, ...]
    out: Path
    opset: int

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs' names, in the order ``forward`` takes them."""
        return tuple(spec.name for spec in self.inputs)


@dataclass(frozen=True)
class Written:
    """What one exporter wrote: the file's own signature, and what a person should know."""

    signature: Signature
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportOutcome:
    """Which exporter wrote the file, its signature, and what a person should know about how."""

    exporter: str
    signature: Signature
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
