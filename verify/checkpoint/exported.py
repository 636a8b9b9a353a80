"""Exported programs (.pt2)."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NoReturn

import torch

from verify.checkpoint import danger, exported_check
from verify.checkpoint.contents import Contents
from verify.checkpoint.opened import ModuleKind
from verify.checkpoint.sources import WholeModule, module_spellings
from verify.errors import CheckpointUnreadable, UnsafeCheckpoint
from verify.model import ModelSource
from verify.samples import InputSpec
from verify.signature import BATCH, Dim


def open_exported(source: ModelSource, _contents: Contents) -> WholeModule:
    """The program's module; raises ``UnsafeCheckpoint`` unless its bytes show that loading it runs no code."""
    if not source.trust_pickle:
        reasons = exported_check.suspicions(source.path)
        if reasons:
            raise UnsafeCheckpoint(
                f"{source.path} is an exported program that loading might let run code: it holds "
                f"{danger.listed(reasons)}. Nothing of it was run",
                fix="if you trust where it comes from, add --trust-pickle; or export it again with "
                "torch.export.save, from plain tensors and containers",
            )
    with contextlib.nullcontext() if source.trust_pickle else _no_pickle():
        program = _loaded(source)
    module = program.module(check_guards=False)
    inputs, notes = _inputs(program)
    return WholeModule(
        module, "exported program (.pt2)", ModuleKind.EXPORTED, module_spellings(module), inputs, notes, program
    )


def _loaded(source: ModelSource) -> torch.export.ExportedProgram:
    try:
        return torch.export.load(source.path)
    except UnsafeCheckpoint:
        raise
    except Exception as error:  # torch's loader raises whatever its parsers raise
        raise CheckpointUnreadable(
            f"{source.path} looks like an exported program and cannot be loaded: {type(error).__name__}: {error}",
            fix="export it again with this torch, or give a state_dict and --arch",
        ) from error


@contextlib.contextmanager
def _no_pickle() -> Iterator[None]:
    """While torch loads a checked program it may unpickle tensors only, whatever the check has missed."""
    from torch.export.pt2_archive import _package

    def refuse(*_arguments: Any, **_options: Any) -> NoReturn:
        raise UnsafeCheckpoint("an exported program asked for an object to be unpickled", fix="export it again")

    trusting = torch.load

    def tensors_only(file: Any, *_arguments: Any, **_options: Any) -> Any:
        return trusting(file, map_location="cpu", weights_only=True)

    refusing = SimpleNamespace(**{**vars(pickle), "loads": refuse, "load": refuse, "Unpickler": refuse})
    replacements: tuple[tuple[Any, str, Any], ...] = (
        (torch, "load", tensors_only),
        (_package, "pickle", refusing),
        (torch._C, "_pickle_load_obj", refuse),
    )
    originals = [getattr(owner, name) for owner, name, _ in replacements]
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)
    try:
        yield
    finally:
        for (owner, name, _), original in zip(replacements, originals, strict=True):
            setattr(owner, name, original)


def _inputs(program: torch.export.ExportedProgram) -> tuple[tuple[InputSpec, ...], tuple[str, ...]]:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    specs: list[InputSpec] = []
    notes: list[str] = []
    for name in program.graph_signature.user_inputs:
        value = values.get(str(name))
        if not isinstance(value, torch.Tensor):
            continue
        shape = _shape(value)
        if shape and isinstance(shape[0], int):
            notes.append(
                f"the program was exported with {name}'s batch fixed at {shape[0]}; export it with "
                f"dynamic_shapes={{'{name}': {{0: torch.export.Dim('batch')}}}} to free it"
            )
        specs.append(InputSpec(str(name), (BATCH, *shape[1:]), str(value.dtype).removeprefix("torch.")))
    return tuple(specs), tuple(notes)


def _shape(value: torch.Tensor) -> tuple[Dim, ...]:
    return tuple(size if isinstance(size, int) else str(size) for size in value.shape)
