"""A checkpoint that is open: the module and what is known about it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from enum import StrEnum

import torch

from verify.model import ModelDescription


class ModuleKind(StrEnum):
    """What kind of module came out: it decides how it can be exported."""

    EAGER = "eager"
    SCRIPTED = "scripted"
    """A TorchScript module: only torch's older exporter takes it."""
    EXPORTED = "exported"
    """The module of an ``ExportedProgram``, which is there itself as well."""


@dataclass(frozen=True)
class OpenedModel:
    """A model in eval mode, float32, on the CPU."""

    module: torch.nn.Module
    description: ModelDescription
    kind: ModuleKind = ModuleKind.EAGER
    program: torch.export.ExportedProgram | None = None
    detector: torch.nn.Module | None = None
    """torchvision's whole detector, where ``module`` is a part of it."""


def forward_parameters(module: torch.nn.Module) -> tuple[tuple[str, ...], int]:
    """Names of ``forward``'s parameters in order, and how many of them have no default."""
    if isinstance(module, torch.jit.ScriptModule):
        arguments = module.forward.schema.arguments[1:]  # type: ignore[attr-defined]
        return tuple(a.name for a in arguments), sum(1 for a in arguments if not a.has_default_value())
    plain = [
        parameter
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]
    required = sum(1 for parameter in plain if parameter.default is inspect.Parameter.empty)
    return tuple(parameter.name for parameter in plain), required


def sizes(module: torch.nn.Module) -> tuple[int, int]:
    """Number of parameters, and bytes of parameters and buffers as float32."""
    parameters = sum(tensor.numel() for tensor in module.parameters())
    buffers = sum(tensor.numel() for tensor in module.buffers())
    return parameters, 4 * (parameters + buffers)
