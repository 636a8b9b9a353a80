"""Ops and multiply-accumulates of a file from those of its layers, whatever the format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from verify.inspection.types import Layer, Macs, OpKind


def with_weights(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Those that have weights, largest first."""
    return tuple(sorted((layer for layer in layers if layer.weight_bytes), key=lambda layer: -layer.weight_bytes))


def kinds_of(layers: Iterable[Layer]) -> tuple[OpKind, ...]:
    """The ops by type: most multiply-accumulates first, then most weights, then most frequent."""
    grouped: dict[str, list[Layer]] = {}
    for layer in layers:
        grouped.setdefault(layer.op, []).append(layer)
    kinds = [
        OpKind(
            op,
            len(those),
            sum(layer.parameters for layer in those),
            sum(layer.weight_bytes for layer in those),
            _sum([layer.macs for layer in those]),
        )
        for op, those in grouped.items()
    ]
    return tuple(sorted(kinds, key=lambda kind: (-(kind.macs or 0), -kind.weight_bytes, -kind.count, kind.op)))


def macs_total(layers: Iterable[Layer], assumption: str) -> Macs:
    """All of a file's, and the ops that multiply but are not in the number."""
    listed = list(layers)
    unknown = Counter(layer.op for layer in listed if layer.macs is None)
    return Macs(sum(layer.macs or 0 for layer in listed), assumption, tuple(unknown.most_common()))


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
