"""The reference: the PyTorch model itself, in float32 as it is shipped, or in float64 as what it means."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

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
    paths = batch_paths(batches)
    if not paths:
        raise SamplesInvalid(f"no batch files in {batches}: expected batch_000.npz and so on")
    outputs.mkdir(parents=True, exist_ok=True)
    sizes = []
    with TorchRunner(reference, precision) as runner:
        for path in paths:
            inputs = read_batch(path)
            write_batch(outputs / path.name, runner.infer(inputs))
            sizes.append(next((inputs[name].shape[0] for name in reference.input_names if inputs[name].ndim), 1))
    return RunRecord(None, tuple(sizes))


class TorchRunner:
    """A module that is ready to run in one precision; afterwards it is as it was before."""

    def __init__(self, reference: Reference, precision: str) -> None:
        if precision not in PRECISIONS:
            raise InputError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
        self._reference, self._precision = reference, precision
        self._stack = contextlib.ExitStack()
        self._module: torch.nn.Module | None = None

    def __enter__(self) -> Self:
        import torch

        with contextlib.suppress(NotImplementedError):  # an exported program is in eval mode for good
            self._reference.module.eval()
        self._stack.enter_context(torch.inference_mode())
        self._module = self._stack.enter_context(_at(self._reference.module, self._precision))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._module = None
        self._stack.__exit__(kind, error, traceback)

    def infer(self, inputs: Batch) -> dict[str, Array]:
        """Run one batch; arrays in PyTorch layout. Raises what the module raises."""
        if self._module is None:
            raise RuntimeError("a runner is a context manager: enter it first")
        fed = arguments(inputs, self._reference.input_names, widen=self._precision == "float64")
        results = named_outputs(self._module(*fed), self._reference.output_names)
        return {name: _array(name, value) for name, value in results.items()}


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


def arguments(batch: Batch, input_names: tuple[str, ...], *, widen: bool) -> tuple[torch.Tensor, ...]:
    """What a module is called with; raises ``SamplesInvalid`` where the batch lacks an input."""
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
