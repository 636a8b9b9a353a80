"""What an exporter wrote, against what it was asked for: names, symbolic dims, a graph that onnx accepts."""

from __future__ import annotations

from typing import Any

from convert.export.attempt import AttemptFailed, first_line
from convert.export.plan import ExportPlan
from verify.errors import ModelUnreadable
from verify.runners.onnx_runner import signature_of
from verify.signature import BATCH, Signature

FIXED_AXIS = (
    "leave that axis its size, or give the model a form that takes every size "
    "(adaptive pooling to a fixed size before flatten and Linear)"
)
"""What helps where a net takes one size only."""


def check_graph(model: Any, plan: ExportPlan) -> Signature:
    """The signature of an ``onnx.ModelProto`` that keeps what the plan asks; raises :class:`AttemptFailed`.

    ``model`` may come without its weights, if it lists them as inputs after its own.
    """
    import onnx

    try:
        onnx.checker.check_model(model)
        signature = signature_of(model.graph)
    except (onnx.checker.ValidationError, ModelUnreadable) as error:
        raise AttemptFailed(f"what it wrote is no valid ONNX: {first_line(error)}") from error
    own_inputs = signature.inputs[: len(plan.inputs)]
    if tuple(spec.name for spec in own_inputs) != plan.input_names:
        given = ", ".join(spec.name for spec in own_inputs)
        raise AttemptFailed(f"it wrote the inputs {given or 'none'}, expected {', '.join(plan.input_names)}")
    if not signature.outputs:
        raise AttemptFailed("the model has no tensor outputs")
    for asked, written in zip(plan.inputs, own_inputs, strict=True):
        for axis, (dim, found) in enumerate(zip(asked.shape, written.shape, strict=True)):
            if isinstance(dim, str) and not isinstance(found, str):
                if dim == BATCH:
                    raise AttemptFailed(f"it fixed the batch of input {asked.name} to {found}")
                raise AttemptFailed(f"it fixed axis {axis} ({dim}) of input {asked.name} to {found}; {FIXED_AXIS}")
    return Signature(own_inputs, signature.outputs)


def fixed_outputs(signature: Signature) -> tuple[str, ...]:
    """Notes on outputs whose first axis is not the batch."""
    return tuple(
        f"output {spec.name} is {list(spec.shape)} whatever the batch: it does not depend on the inputs' first axis"
        for spec in signature.outputs
        if not spec.shape or isinstance(spec.shape[0], int)
    )
