"""The noise floors of a model that is no PyTorch one: from its own graph, as exactly as it allows."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from verify.artifact import Artifact, Format
from verify.batches import batch_paths, read_batch
from verify.rounding.bound import Roundings
from verify.spread import amplified_by, measure_amplification, measure_spread, widened_by
from verify.tolerance import FLOAT_MARGIN, OutputFloor, measure_floors, rounding_floors

ONNX_BASIS = "float32 onnxruntime against the ONNX graph at float64"


@dataclass(frozen=True)
class FloorsFound:
    """``no_float64`` says why float64 was not to be had; ``notes`` are what the spread shows beside noise."""

    floors: tuple[OutputFloor, ...]
    no_float64: str = ""
    notes: tuple[str, ...] = ()


def floors_from_graph(artifact: Artifact, batches: Path, outputs: Path, scratch: Path) -> FloorsFound:
    """Job: the floors of a model's outputs, for a worker that can run it.

    ``outputs`` hold what it gave for ``batches``, under its own names. An ONNX graph is evaluated at float64 as far as
    that is cheap; else, and for TFLite, the roundings of the graph are counted, and widened by how much the model
    amplifies them. Neither is below the model's spread.
    """
    reason = "only an ONNX graph can be evaluated at float64 without PyTorch"
    roundings = graph_roundings(artifact, batches)
    amplification = measure_amplification(artifact, batches, outputs)
    floors = amplified_by(rounding_floors(outputs, roundings), amplification)
    if artifact.format is Format.ONNX:
        from verify.runners.onnx_float64 import write_float64

        reason = write_float64(artifact.path, batches, scratch)
        if not reason:
            measured = measure_floors(outputs, scratch, ONNX_BASIS, roundings)
            reason = _beyond_roundings(measured, floors)
            floors = floors if reason else measured
    shutil.rmtree(scratch, ignore_errors=True)
    wider, notes = widened_by(floors, measure_spread(artifact, batches, outputs))
    return FloorsFound(wider, reason, notes)


def _beyond_roundings(measured: tuple[OutputFloor, ...], counted: tuple[OutputFloor, ...]) -> str:
    """Why float64 is not to be trusted, as a phrase; a wrong one would make a floor that faults hide below.

    On 17 nets float64 was 0.04 to 1.1 times as far from float32 as the roundings were expected to make it.
    """
    by_name = {floor.name: floor for floor in counted}
    for floor in measured:
        expected = by_name[floor.name].rms if floor.name in by_name else 0.0
        if floor.roundings is not None and floor.rms > FLOAT_MARGIN * expected:
            return (
                f"{floor.name} at float64 is {floor.rms / expected if expected else float('inf'):.0f} × as far from "
                f"float32 as {floor.roundings} roundings are expected to make it, so that an op in ONNX's reference "
                "implementation must be wrong"
            )
    return ""


def graph_roundings(artifact: Artifact, batches: Path) -> tuple[Roundings, ...]:
    """How many roundings lie behind each output; nothing of a format whose graph is not read."""
    if artifact.format is Format.ONNX:
        from verify.rounding.onnx_graph import onnx_roundings

        first = read_batch(batch_paths(batches)[0])
        return onnx_roundings(artifact.path, {name: array.shape for name, array in first.items()})
    if artifact.format is Format.TFLITE:
        from verify.rounding.tflite_graph import tflite_roundings

        return tflite_roundings(artifact.path)
    return ()
