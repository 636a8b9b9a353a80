"""torch's older exporter: it traces with TorchScript, and takes TorchScript archives as they are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from convert.export.attempt import AttemptFailed, first_line
from convert.export.check import FIXED_AXIS, check_graph, fixed_outputs
from convert.export.examples import BATCH_SIZE, example_inputs
from convert.export.plan import ExportPlan, Written
from convert.export.source_line import of_exception, portable
from verify.errors import ToolError
from verify.runners.flatten import flatten_outputs, named_outputs
from verify.samples import InputSpec
from verify.samples.axes import other_sizes
from verify.signature import BATCH

HIGHEST_OPSET = 20


class FlatOutputs(nn.Module):
    """A module whose outputs are one flat tuple: the older exporter names them by place only."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The wrapped module's outputs, flattened."""
        return tuple(leaf for _, leaf in flatten_outputs(self.module(*inputs)))


def write_onnx(module: nn.Module, plan: ExportPlan) -> Written:
    """Write ``plan.out``; raises :class:`AttemptFailed`. The notes say what the trace took for constant."""
    import onnx

    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        try:
            _export(module, plan)
        except Exception as error:  # torch raises anything here, and so does a model's own code
            raise AttemptFailed(first_line(error), of_exception(error)) from error
    model = onnx.load(str(plan.out))
    if keep_unused_inputs(model.graph, plan):
        onnx.save(model, str(plan.out))
    name_output_axes(model.graph, plan)
    onnx.save(model, str(plan.out))
    signature = check_graph(model, plan)
    return Written(signature, _baked_in(caught) + fixed_outputs(signature))


def _export(module: nn.Module, plan: ExportPlan) -> None:
    arguments = example_inputs(plan.inputs)
    returned = module(*arguments)
    torch.onnx.export(
        _flat(module, returned),
        arguments,
        str(plan.out),
        dynamo=False,
        opset_version=min(plan.opset, HIGHEST_OPSET),
        input_names=list(plan.input_names),
        output_names=list(named_outputs(returned, plan.output_names)),
        dynamic_axes={
            spec.name: {axis: dim for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
            for spec in plan.inputs
        },
    )


def _flat(module: nn.Module, returned: object) -> nn.Module:
    """A TorchScript module stays as it is (wrapping would trace it); its tuple outputs come out flat anyway."""
    if isinstance(returned, torch.Tensor) or isinstance(module, torch.jit.ScriptModule):
        return module
    return FlatOutputs(module)


def keep_unused_inputs(graph: Any, plan: ExportPlan) -> bool:
    """Put back the inputs that the older exporter drops because nothing uses them; returns whether there were any."""
    written = {value.name: value for value in graph.input}
    if not set(written) < set(plan.input_names):
        return False
    kept = [written.get(spec.name) or _described(spec) for spec in plan.inputs]
    del graph.input[:]
    graph.input.extend(kept)
    return True


def _described(spec: InputSpec) -> Any:
    import numpy as np
    import onnx

    element_type = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return onnx.helper.make_tensor_value_info(spec.name, element_type, spec.shape)


def name_output_axes(graph: Any, plan: ExportPlan) -> None:
    """Name the outputs' axes by running the file at other sizes: the older exporter guesses them, or bakes them in.

    Raises :class:`AttemptFailed` when the file does not run at another batch, or at another size of a named axis, than
    the one it was traced with.
    """
    from verify.runners.onnx_runner import OnnxRunner, onnx_signature

    traced, remedy = "batch", ""
    try:
        with OnnxRunner(plan.out, onnx_signature(plan.out)) as runner:
            shapes = [_output_shapes(runner, plan, batch, {}) for batch in (BATCH_SIZE + 1, 1)]
            traced, remedy = "sizes", f"; {FIXED_AXIS}"
            shapes += [_output_shapes(runner, plan, 1, dict(sizes)) for sizes in other_sizes(plan.inputs, ())[:1]]
    except ToolError as error:
        raise AttemptFailed(
            f"its file runs only at the {traced} it was traced with: {first_line(error)}{remedy}"
        ) from error
    for output in graph.output:
        for axis, dim in enumerate(output.type.tensor_type.shape.dim):
            name = _axis_name([found[output.name][axis] for found in shapes], f"{output.name}_{axis}")
            if isinstance(name, int):
                dim.dim_value = name
            else:
                dim.dim_param = name


def _output_shapes(runner: Any, plan: ExportPlan, batch: int, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    inputs = example_inputs(plan.inputs, batch=batch, sizes=sizes)
    feed = {name: tensor.numpy() for name, tensor in zip(plan.input_names, inputs, strict=True)}
    return {name: array.shape for name, array in runner.infer(feed).items()}


def _axis_name(sizes: Sequence[int], otherwise: str) -> int | str:
    """From an axis's size at a larger batch, at batch 1, and at batch 1 of other sizes where axes are named."""
    larger, smaller, *others = sizes
    if any(other != smaller for other in others):
        return otherwise
    if larger == smaller:
        return larger
    if larger == (BATCH_SIZE + 1) * smaller:
        return BATCH if smaller == 1 else f"{smaller}*{BATCH}"
    return otherwise


def _baked_in(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """What the tracer says it took for constant, one line for each place in the model."""
    traced = [each for each in caught if issubclass(each.category, torch.jit._trace.TracerWarning)]
    places = dict.fromkeys(f"{portable(each.filename)}:{each.lineno}" for each in traced)
    return tuple(f"the trace takes what {place} computes for constant" for place in places)
