"""Opening a checkpoint safely; recognising its architecture.

No framework is imported before a function is called: a parent process may import this module to name its jobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verify.model import ModelDescription, ModelSource

if TYPE_CHECKING:
    import torch

    from verify.checkpoint.opened import OpenedModel


def open_model(source: ModelSource) -> OpenedModel:
    """The model that ``source`` means: eval mode, float32, on the CPU, with its description. Imports torch.

    Runs no code from the file unless ``source.trust_pickle``. The last model opened is kept, so that export and
    reference runs in one worker share it. Raises an ``InputError``: ``CheckpointUnreadable``, ``UnsafeCheckpoint``,
    ``ArchitectureUnknown``, ``StateDictMismatch``, ``NonFiniteWeights`` or ``InputSpecInvalid``.
    """
    from verify.checkpoint.opening import open_checkpoint

    return open_checkpoint(source)


def describe(source: ModelSource) -> ModelDescription:
    """What a checkpoint turns out to be; a job for a torch worker. Raises what :func:`open_model` raises."""
    return open_model(source).description


def forward_parameter_names(module: torch.nn.Module) -> tuple[str, ...]:
    """Names of the parameters that the module's ``forward`` takes, in order."""
    from verify.checkpoint.opened import forward_parameters

    return forward_parameters(module)[0]
