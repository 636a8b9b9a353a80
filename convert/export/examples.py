"""Example inputs to trace with: never a batch of 0 or 1, integers within their range, seeded."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from verify.errors import InputSpecInvalid
from verify.samples import InputSpec
from verify.samples.axes import default_sizes
from verify.samples.random_samples import size_of
from verify.signature import BATCH

BATCH_SIZE = 2


def example_inputs(
    specs: tuple[InputSpec, ...], *, batch: int = BATCH_SIZE, seed: int = 0, sizes: Mapping[str, int] | None = None
) -> tuple[torch.Tensor, ...]:
    """One batch of every input, in order; ``sizes`` are those of other named axes, the default ones if left out."""
    generator = torch.Generator().manual_seed(seed)
    named = {**default_sizes(specs), **(sizes or {}), BATCH: batch}
    return tuple(_draw(spec, named, generator) for spec in specs)


def _draw(spec: InputSpec, sizes: dict[str, int], generator: torch.Generator) -> torch.Tensor:
    shape = tuple(size_of(dim, sizes) for dim in spec.shape)
    dtype = _torch_dtype(spec)
    if dtype is torch.bool:
        return torch.randint(0, 2, shape, generator=generator).bool()
    if not dtype.is_floating_point:
        low, high = _integer_range(spec)
        return torch.randint(low, high + 1, shape, generator=generator).to(dtype)
    if spec.low is None or spec.high is None:
        return torch.randn(shape, generator=generator).to(dtype)
    return (torch.rand(shape, generator=generator) * (spec.high - spec.low) + spec.low).to(dtype)


def _torch_dtype(spec: InputSpec) -> torch.dtype:
    dtype = getattr(torch, spec.dtype, None)
    if isinstance(dtype, torch.dtype):
        return dtype
    raise InputSpecInvalid(
        f"input {spec.name} has dtype {spec.dtype!r}, which PyTorch does not have",
        fix="use float32, float64, int32, int64, uint8 or bool",
    )


def _integer_range(spec: InputSpec) -> tuple[int, int]:
    if spec.low is None or spec.high is None or spec.low > spec.high:
        raise InputSpecInvalid(
            f"input {spec.name} holds integers ({spec.dtype}) without a range: got {spec.low}..{spec.high}",
            fix=f"give one: --input {spec.name}={','.join(map(str, spec.shape))}:{spec.dtype}:0..99",
        )
    return math.ceil(spec.low), math.floor(spec.high)
