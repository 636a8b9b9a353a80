"""Batches that try each of several inputs by itself: only such as the model that a run starts from can be run on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from convert.hosts import Hosts
from convert.stages.base import Host
from convert.start import Start
from verify.artifact import Artifact
from verify.batches import read_batch
from verify.errors import InfrastructureError
from verify.machine_fault import machine_fault
from verify.model import ModelSource
from verify.samples.mixed import MixedInput, write_mixed_inputs


def add_mixed_inputs(hosts: Hosts, start: Start, judging: Path) -> tuple[MixedInput, ...]:
    """Add them to the judging batches, before anything is run on those; nothing for a sole input."""
    if len(start.inputs) < 2:
        return ()
    if start.source is not None:
        names = tuple(spec.name for spec in start.inputs)
        job = hosts.worker(Host.TORCH).submit(mix_for_torch, source=start.source, folder=judging, inputs=names)
    else:
        job = hosts.worker(Host.RUNTIME).submit(mix_for_model, artifact=start.artifact, folder=judging)
    return job.result().value


def mix_for_torch(*, source: ModelSource, folder: Path, inputs: tuple[str, ...]) -> tuple[MixedInput, ...]:
    """Job: for a PyTorch model."""
    from verify.checkpoint import open_model
    from verify.runners.torch_runner import Reference, TorchRunner

    with TorchRunner(Reference(open_model(source).module, inputs), "float32") as runner:
        return _mixed(folder, inputs, lambda path: runner.infer(read_batch(path)))


def mix_for_model(*, artifact: Artifact, folder: Path) -> tuple[MixedInput, ...]:
    """Job: for an ONNX model."""
    from verify.runners import open_runner
    from verify.runners.feed import stored_inputs

    inputs = tuple(spec.name for spec in artifact.signature.inputs)
    with open_runner(artifact) as runner:
        return _mixed(folder, inputs, lambda path: runner.infer(stored_inputs(runner.signature, read_batch(path))))


def _mixed(folder: Path, inputs: tuple[str, ...], infer: Callable[[Path], object]) -> tuple[MixedInput, ...]:
    kept = []
    for each in write_mixed_inputs(folder=folder, inputs=inputs):
        try:
            infer(folder / each.file)
        except Exception as error:  # a PyTorch model raises whatever its code does
            fault = machine_fault(error, "inference")
            if fault is not None or isinstance(error, OSError | InfrastructureError):
                raise fault or error from error
            (folder / each.file).unlink()
        else:
            kept.append(each)
    return tuple(kept)
