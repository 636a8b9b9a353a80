"""What the models were fed, input by input: shapes, the range of values, and what that leaves open."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from verify.batches import batch_paths, read_batch
from verify.chain.run import Chain
from verify.report.verification import InputCoverage
from verify.samples.source import RandomSamples
from verify.samples.spec import InputSpec
from verify.samples.write import JUDGING_BATCH_SIZES


@dataclass
class _Seen:
    shapes: dict[tuple[int, ...], None] = field(default_factory=dict)
    low: float = np.inf
    high: float = -np.inf


def input_coverage(chain: Chain) -> tuple[InputCoverage, ...]:
    """One entry an input, under the first model's names; batches are read one at a time."""
    refused = {batch.file for batch in chain.models[0].fed.refused}
    seen = {spec.name: _Seen() for spec in chain.inputs}
    for path in batch_paths(chain.samples.batches):
        if path.name in refused:
            continue
        for name, array in read_batch(path).items():
            if name in seen and array.size:
                seen[name].shapes[array.shape] = None
                seen[name].low = min(seen[name].low, float(array.min()))
                seen[name].high = max(seen[name].high, float(array.max()))
    return tuple(_covered(chain, spec, seen[spec.name]) for spec in chain.inputs)


def _covered(chain: Chain, spec: InputSpec, seen: _Seen) -> InputCoverage:
    finite = bool(seen.shapes)
    return InputCoverage(
        name=spec.name,
        dtype=spec.dtype,
        shapes=tuple(seen.shapes),
        low=seen.low if finite else None,
        high=seen.high if finite else None,
        source=chain.samples.description,
        gaps=tuple(_gaps(chain, spec, seen)),
    )


def _gaps(chain: Chain, spec: InputSpec, seen: _Seen) -> list[str]:
    gaps = []
    if isinstance(chain.settings.samples, RandomSamples) and chain.models[0].member.header is None:
        gaps.append("No real samples: what only real data reaches was not tried; give some with --data.")
    sizes = sorted({shape[0] for shape in seen.shapes if shape})
    if len(sizes) == 1 and sizes[0] not in JUDGING_BATCH_SIZES[1:]:
        gaps.append(f"Only batch {sizes[0]} was tried: a model takes no other.")
    for axis, dim in enumerate(spec.shape):
        tried = {shape[axis] for shape in seen.shapes}
        if axis and isinstance(dim, str) and len(tried) == 1:
            gaps.append(f"{dim} is dynamic, and only {tried.pop()} was tried.")
    gaps += [
        f"{chain.models[0].member.entry.name} cannot be run on {batch.shapes}: {batch.reason}"
        for batch in chain.models[0].fed.refused
    ]
    if spec.name in chain.samples.unknown_ranges:
        dims = ",".join(str(dim) for dim in spec.shape)
        gaps.append(
            "Only 0 and 1 were tried: nothing says what it may hold; say it with "
            f"--input {spec.name}={dims}:{spec.dtype}:0..29999."
        )
    return gaps
