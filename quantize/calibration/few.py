"""A few calibration samples as a folder of batches, for who has to look at some and not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quantize.calibration.observe import Observation
from verify.batches import batch_name, write_batch
from verify.signature import Signature

FEW = 4


def write_few(probes: Sequence[Observation], signature: Signature, folder: Path) -> None:
    """Write the first few of what files were tried on, in PyTorch layout."""
    for number, probe in enumerate(probes[:FEW]):
        batch = {spec.name: spec.to_torch(probe.inputs[spec.name]) for spec in signature.inputs}
        write_batch(folder / batch_name(number), batch)
