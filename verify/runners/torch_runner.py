"""The reference: the PyTorch model itself, in float32 as it is shipped, or in float64 as what it means."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verify.batches import Array, batch_paths, read_batch, write_batch
from verify.errors import InputError, SamplesInvalid
from verify.model import ModelSource
from verify.runners.base import Batch
from verify.runners.flatten import named_outputs
from verify.runners.record import RunRecord

if TYPE_CHECKING:
    import torch

PRECISIONS = ("float32", "float64")


def run_reference(
    source: ModelSource, output_names: tuple[str, ...], batches: Path, outputs: Path, precision: str
) -> RunRecord:
    """Open a checkpoint and run every batch of a folder through it; a job for a torch worker.

    Reads ``batch_*.npz`` (PyTorch layout, keyed by input name), writes files of the same names keyed by output name.
    ``output_names`` are those of the exported model, empty for the model's own. ``precision`` is ``float32``, or
    ``float64`` for the model widened in place: its weights are held once, at twice their size. Raises what opening the
    checkpoint raises, ``SamplesInvalid`` and ``InputError``.
    """
    from verify.checkpoint import open_model

    opened = open_model(source)
    reference = Reference(opened.module, tuple(spec.name for spec in opened.description.inputs), output_names)
    return run_module(reference, batches, outputs, precision)


@dataclass(frozen=True)
class Reference:
    """A module and the names of what it takes and gives; empty ``output_names`` are the module's own."""

    module: torch.nn.Module
    input_names: tuple[str, ...]
    output_names: tuple[str, ...] = ()


def run_module(reference: Reference, batches: Path, outputs: Path, precision: str) -> RunRecord:
    """Run every batch of a folder through a module, which is afterwards as it was before."""
    import torch

    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    paths = batch_paths(batches)
    if not paths:
        raise SamplesInvalid(f"no batch files in {batches}: expected batch_000.npz and so on")
    outputs.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(NotImplementedError):  # an exported program is in eval mode for good
        reference.module.eval()
    sizes = []
    with torch.inference_mode(), _at(reference.module, precision) as module:
        for path in paths:
            arguments = _arguments(read_batch(path), reference.input_names, widen=precision == "float64")
            sizes.append(int(arguments[0].shape[0]) if arguments and arguments[0].ndim else 1)
            results = named_outputs(module(*arguments), reference.output_names)
            write_batch(outputs / path.name, {name: _array(name, value) for name, value in results.items()})
    return RunRecord(None, tuple(sizes))


@contextlib.contextmanager
def _at(module: torch.nn.Module, precision: str) -> Iterator[torch.nn.Module]:
    """The module in that precision. Widening happens in place and is taken back, which is exact for float32 weights.

    The default dtype follows: what ``torch.zeros`` and its like make inside a ``forward`` would spoil float64, as would
    a float32 that the model's code names.
    """
    import torch

    from verify.runners.widened import FloatMeansDouble

    if precision == "float32":
        yield module
        return
    tensors = (*module.parameters(), *module.buffers())
    exact = all(tensor.dtype is torch.float32 for tensor in tensors if tensor.is_floating_point())
    wide = module.double() if exact else copy.deepcopy(module).double()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with FloatMeansDouble():
            yield wide
    finally:
        torch.set_default_dtype(before)
        if exact:
            module.float()


def _arguments(batch: Batch, input_names: tuple[str, ...], *, widen: bool) -> tuple[torch.Tensor, ...]:
    import torch

    missing = [name for name in input_names if name not in batch]
    if missing:
        raise SamplesInvalid(
            f"the model takes {', '.join(input_names)}, but the batch has no {', '.join(missing)}: "
            f"it holds {', '.join(batch) or 'nothing'}",
            fix="name the arrays of the samples after the model's inputs",
        )
    tensors = (torch.from_numpy(np.ascontiguousarray(batch[name])) for name in input_names)
    return tuple(tensor.double() if widen and tensor.is_floating_point() else tensor for tensor in tensors)


def _array(name: str, value: Any) -> Array:
    import torch

    if not isinstance(value, torch.Tensor):
        raise InputError(
            f"the model's output {name} is a {type(value).__name__}; expected a tensor",
            fix="return tensors only, or wrap the model in a module that does",
        )
    array: Array = value.detach().cpu().numpy()
    return array
