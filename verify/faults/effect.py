"""What a fault changes in a model's outputs, measured apart from the judgement that is to notice it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verify.batches import Array, batch_paths, read_batch
from verify.metrics import ErrorSums, error_sums


@dataclass(frozen=True)
class Allowed:
    """How far an output may be off before it counts as changed: RMS, and largest error where that has a bound."""

    rms: float
    max_abs: float = math.inf


@dataclass(frozen=True)
class Effect:
    """``beyond`` says that some output differs by more than allowed; ``phrase`` says how, or how little."""

    beyond: bool
    identical: bool
    phrase: str


def measure_effect(clean: Path, faulty: Path, allowed: Mapping[str, Allowed]) -> Effect:
    """Compare a faulty copy's outputs with those of the model itself, run on the same batches in the same runtime."""
    sums: dict[str, ErrorSums] = {}
    identical = True
    for path in batch_paths(clean):
        if not (faulty / path.name).is_file():
            return Effect(True, False, f"{path.name} gives nothing")
        before, after = read_batch(path), read_batch(faulty / path.name)
        structural = _structural(before, after)
        if structural:
            return Effect(True, False, structural)
        for name, wanted in before.items():
            given = after[name]
            if (np.isfinite(wanted) != np.isfinite(given)).any():
                return Effect(True, False, f"{name} is not finite where it was, or the other way round")
            usable = np.isfinite(wanted)
            identical = identical and np.array_equal(wanted[usable], given[usable])
            sums[name] = sums.get(name, ErrorSums()) + error_sums(wanted[usable], given[usable])
    return _largest(sums, allowed, identical=identical)


def _structural(before: Mapping[str, Array], after: Mapping[str, Array]) -> str:
    if before.keys() != after.keys():
        return f"it gives {', '.join(after)} for {', '.join(before)}"
    for name, wanted in before.items():
        if wanted.shape != after[name].shape:
            return f"{name} is {list(after[name].shape)} for {list(wanted.shape)}"
        if wanted.dtype != after[name].dtype:
            return f"{name} is {after[name].dtype} for {wanted.dtype}"
    return ""


def _largest(sums: Mapping[str, ErrorSums], allowed: Mapping[str, Allowed], *, identical: bool) -> Effect:
    if identical:
        return Effect(False, True, "every output is the same to the bit")
    multiples = {
        name: max(_over(total.rms_error, allowed[name].rms), _over(total.max_abs_error, allowed[name].max_abs))
        for name, total in sums.items()
    }
    worst = max(multiples, key=lambda name: multiples[name])
    decibels = sums[worst].sqnr_db
    measured = "no signal" if decibels is None else f"{decibels:.1f} dB"
    return Effect(multiples[worst] > 1, False, f"{worst} changes by {multiples[worst]:.2g} × what counts ({measured})")


def _over(error: float, limit: float) -> float:
    if error == 0:
        return 0.0
    return error / limit if limit else math.inf
