"""Distilling as a job: the process that asks for it has no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verify.model import ModelSource


@dataclass(frozen=True)
class Distilled:
    """Inputs at ``path``; how far from its statistics a batch norm's inputs are in the mean, at first and at last."""

    path: Path
    count: int
    steps: int
    first_distance: float
    last_distance: float


def distil_inputs(source: ModelSource, seed: int, most: int, target: Path) -> Distilled:
    """Write up to ``most`` samples as ``target``, a ``.npz`` in PyTorch layout; the same ones for the same seed.

    Raises ``SamplesInvalid`` for a model without batch norms, or with none that can be seen.
    """
    from convert.synthetic.distil import distil
    from verify.checkpoint import open_model

    return distil(open_model(source), seed, most, target)
