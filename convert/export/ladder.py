"""The newer exporter first, the older one as a stated fallback; the file is checked before it counts as written."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.export import ExportedProgram

from convert.export import newer, older
from convert.export.attempt import AttemptFailed
from convert.export.data_dependent import remedy
from convert.export.eager import require_inputs_fit
from convert.export.known_errors.failures import explain_failure
from convert.export.known_errors.layers import explain_unregistered
from convert.export.plan import EXPORTERS, ExportOutcome, ExportPlan
from verify.errors import ExportFailed, InputError
from verify.model import ModelDescription
from verify.report.types import Refusal

STAGE = "export"
NEWER = "newer"
OLDER = "older"


def export_module(
    module: torch.nn.Module | ExportedProgram, description: ModelDescription, out: Path, opset: int, exporter: str
) -> ExportOutcome:
    """Write ``out``: an ONNX file with the description's names and a symbolic batch.

    ``exporter`` is ``auto`` (newer, then older), ``newer`` or ``older``. Raises :class:`verify.errors.ExportFailed`
    with every exporter's reason and the line of PyTorch code, where torch names one.
    """
    if exporter not in EXPORTERS:
        raise InputError(f"there is no exporter {exporter!r}", fix=f"use one of {', '.join(EXPORTERS)}")
    plan = ExportPlan(description.inputs, description.output_names, out, opset)
    if isinstance(module, ExportedProgram):
        return _exported_program(module, plan, exporter)
    module.eval()
    if isinstance(module, torch.jit.ScriptModule):
        return _torchscript(module, plan, exporter)
    unregistered = explain_unregistered(module, plan.inputs)
    if unregistered is not None:
        raise unregistered.error()
    if exporter == OLDER:
        return _only(OLDER, module, plan)
    try:
        written = newer.write_onnx(module, plan)
    except AttemptFailed as failure:
        known = None if failure.data_dependent else explain_failure(failure, module, plan.inputs)
        if known is not None:
            raise known.error() from failure
        if exporter == NEWER:
            raise _export_failed(((NEWER, failure),)) from failure
        return _fall_back(module, plan, failure)
    return ExportOutcome(NEWER, written.signature, written.notes)


def _only(exporter: str, module: torch.nn.Module | ExportedProgram, plan: ExportPlan) -> ExportOutcome:
    try:
        if exporter == OLDER:
            assert isinstance(module, torch.nn.Module)
            written = older.write_onnx(module, plan)
        else:
            written = newer.write_onnx(module, plan)
    except AttemptFailed as failure:
        raise _export_failed(((exporter, failure),)) from failure
    return ExportOutcome(exporter, written.signature, written.notes)


def _fall_back(module: torch.nn.Module, plan: ExportPlan, failure: AttemptFailed) -> ExportOutcome:
    """The older exporter, unless it could only write a file that is right for some inputs."""
    if failure.data_dependent:
        raise ExportFailed(
            f"torch's newer exporter cannot write this model: {failure}; the older one was not tried, because its "
            "trace keeps the one side that the example input takes and is wrong for the other",
            fix=f"{remedy(failure.source_line)}; or accept the one side with --exporter older",
        ) from failure
    try:
        written = older.write_onnx(module, plan)
    except AttemptFailed as second:
        require_inputs_fit(module, plan.inputs)
        raise _export_failed(((NEWER, failure), (OLDER, second))) from failure
    refusal = Refusal(
        stage=STAGE,
        subject="torch's newer exporter",
        reason=str(failure),
        remedy="the older exporter wrote the file: it traces one input, and keeps no PyTorch source lines",
    )
    return ExportOutcome(OLDER, written.signature, written.notes, (refusal,))


def _torchscript(module: torch.jit.ScriptModule, plan: ExportPlan, exporter: str) -> ExportOutcome:
    if exporter == NEWER:
        raise ExportFailed(
            "the checkpoint is a TorchScript archive, which only torch's older exporter can write; "
            "--exporter newer was given",
            fix="leave --exporter out; or save the model's state_dict and give its class with --arch",
        )
    outcome = _only(OLDER, module, plan)
    note = "a TorchScript archive: written by torch's older exporter, the only one that takes it"
    return ExportOutcome(OLDER, outcome.signature, (note, *outcome.notes))


def _exported_program(program: ExportedProgram, plan: ExportPlan, exporter: str) -> ExportOutcome:
    if exporter == OLDER:
        raise ExportFailed(
            "the checkpoint is an exported program (.pt2), which only torch's newer exporter can write; "
            "--exporter older was given",
            fix="leave --exporter out",
        )
    fixed = newer.inputs_of_fixed_batch(program)
    if fixed:
        raise ExportFailed(
            f"the exported program fixes the batch: {', '.join(fixed)}; expected a dynamic first axis",
            fix="export it again with torch.export.export(model, args, dynamic_shapes=({0: torch.export.Dim('N')},)), "
            "one entry for each input",
        )
    return _only(NEWER, program, plan)


def _export_failed(failures: tuple[tuple[str, AttemptFailed], ...]) -> ExportFailed:
    reasons = "; ".join(f"torch's {exporter} exporter: {failure.reason}" for exporter, failure in failures)
    line = next((failure.source_line for _, failure in failures if failure.source_line), None)
    where = f"at {line}" if line else "torch names no line of the model's code"
    return ExportFailed(
        f"the model cannot be written as ONNX: {reasons}",
        fix="rewrite that line with operators that ONNX has, or leave it out of the exported part of the model"
        if line
        else "the log file has torch's whole error",
        context=(where,),
    )
