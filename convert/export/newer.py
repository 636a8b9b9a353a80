"""torch's newer exporter: ``torch.export`` captures, ``torch.onnx`` translates."""

from __future__ import annotations

import logging
import re
import warnings
from dataclasses import replace

import torch
from torch.export import ExportedProgram

from convert.export import layer_norm_translation, onnx_file, recurrent_translation
from convert.export.attempt import AttemptFailed, first_line
from convert.export.capture import capture
from convert.export.check import check_graph, fixed_outputs
from convert.export.dynamic_axes import dynamic_axes
from convert.export.eager import require_sizes_fit
from convert.export.known_errors.programs import explain_program
from convert.export.plan import ExportPlan, Written
from convert.export.settle import RecordedProgram, SettledProgram, recorded
from convert.export.shortcuts import shortcuts
from convert.export.source_line import make_traces_portable, of_exception, of_stack_trace
from verify.runners.flatten import named_outputs

logger = logging.getLogger(__name__)


def write_onnx(module: torch.nn.Module | ExportedProgram, plan: ExportPlan) -> Written:
    """Write ``plan.out``; raises :class:`AttemptFailed`."""
    captured = module if isinstance(module, ExportedProgram) else capture(module, plan.inputs)
    axes = dynamic_axes(captured, plan.inputs)
    if isinstance(module, torch.nn.Module):
        require_sizes_fit(module, plan.inputs, axes)
    translated = _translated(module, captured, plan)
    make_traces_portable(translated.model)
    signature = check_graph(onnx_file.graph_only(translated, plan.out), plan)
    onnx_file.save(translated, plan.out)
    return Written(replace(signature, axes=axes), fixed_outputs(signature))


def _translated(
    module: torch.nn.Module | ExportedProgram, captured: ExportedProgram, plan: ExportPlan
) -> torch.onnx.ONNXProgram:
    """Without a retrace where that works; else as torch does it, so that settling can cost time but never a model."""
    if isinstance(module, ExportedProgram):
        return translate(recorded(captured, RecordedProgram), plan)
    program = recorded(captured, SettledProgram)
    known = explain_program(program)
    if known is not None:
        raise known.error()
    try:
        return translate(program, plan)
    except AttemptFailed as failure:
        if program.declined is not None:
            raise
        logger.info("not translated as settled: %s", failure)
    return translate(recorded(capture(module, plan.inputs), RecordedProgram), plan)


def translate(program: RecordedProgram, plan: ExportPlan) -> torch.onnx.ONNXProgram:
    """An exported program as ONNX, in memory; raises :class:`AttemptFailed` naming the PyTorch line of the operator."""
    output_names = list(named_outputs(_returned(program), plan.output_names))
    axis_names = tuple(
        {axis: dim for axis, dim in enumerate(spec.shape) if isinstance(dim, str)} for spec in plan.inputs
    )
    try:
        with torch.no_grad(), shortcuts(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            translated = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=plan.opset,
                input_names=list(plan.input_names),
                output_names=output_names,
                dynamic_shapes=axis_names,
                external_data=False,
                custom_translation_table=recurrent_translation.translations() | layer_norm_translation.translations(),
                verbose=False,
            )
    except Exception as error:  # torch.onnx wraps some errors in its own type and lets others through
        raise AttemptFailed(_root_cause(error), _line_of_failing_node(program, error)) from error
    assert translated is not None
    return translated


def inputs_of_fixed_batch(program: ExportedProgram) -> tuple[str, ...]:
    """The inputs whose first axis is a number, each with its shape."""
    shapes = {node.name: node.meta["val"].shape for node in program.graph.nodes if node.name in _user_inputs(program)}
    return tuple(f"{name} is {list(shape)}" for name, shape in shapes.items() if shape and isinstance(shape[0], int))


def _user_inputs(program: ExportedProgram) -> tuple[str, ...]:
    return tuple(name for name in program.graph_signature.user_inputs if isinstance(name, str))


def _returned(program: ExportedProgram) -> object:
    """The structure that the program returns, with a marker for each tensor and ``None`` for each constant."""
    from torch.export.graph_signature import ConstantArgument, OutputKind

    outputs = [spec for spec in program.graph_signature.output_specs if spec.kind is OutputKind.USER_OUTPUT]
    leaves = [None if isinstance(spec.arg, ConstantArgument) else spec.arg.name for spec in outputs]
    return torch.utils._pytree.tree_unflatten(leaves, program.call_spec.out_spec)


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def _line_of_failing_node(program: RecordedProgram, error: BaseException) -> str | None:
    """The PyTorch line of the node that the translation stopped at, if its error names one."""
    causes: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        causes.append(str(seen))
        seen = seen.__cause__
    named = re.search(r"Error when translating node %(\w+)", "\n".join(causes))
    if named is None or program.decomposed is None:
        return of_exception(error)
    for node in program.decomposed.graph.nodes:
        if node.name == named.group(1):
            return of_stack_trace(node.meta.get("stack_trace"))
    return None
