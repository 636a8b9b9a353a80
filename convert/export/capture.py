"""A module as ``torch.export`` captures it, its named axes symbolic for as many sizes as its code allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch.export import ExportedProgram

from convert.export.attempt import AttemptFailed, first_line
from convert.export.check import FIXED_AXIS
from convert.export.dynamic_axes import dynamic_dims, fixes_an_axis, with_least
from convert.export.even_parts import even_parts
from convert.export.examples import example_inputs
from convert.export.flat_outputs import flat_outputs, is_unknown_container
from convert.export.recurrent_shapes import recurrent_shapes
from convert.export.source_line import of_exception
from verify.samples import InputSpec
from verify.samples.axes import default_sizes

_LEAST_PARTS = (4, 2)
"""Of a named axis's usual size."""

_SUGGESTIONS = "Suggested fixes:"

DATA_DEPENDENT = "the model branches on the values in its data"


def capture(module: torch.nn.Module, inputs: tuple[InputSpec, ...]) -> ExportedProgram:
    """The module as a graph of ATen operators, its named dims symbolic; raises :class:`AttemptFailed`.

    Where the model's code does not work for every size of a named axis, those are tried that torch suggests (multiples
    of a number), and from a part of the usual size on: below it, a size that is halved comes to 1, and broadcasts.
    """
    first: AttemptFailed | None = None
    for dims in _ways_to_be_dynamic(inputs):
        try:
            return _captured(module, inputs, dims)
        except AttemptFailed as failure:
            first = first or failure
            if not failure.size_dependent:
                break
    assert first is not None
    raise first


def _ways_to_be_dynamic(inputs: tuple[InputSpec, ...]) -> Iterator[Any]:
    """Dims for ``torch.export``, those with the most sizes first."""
    usual = default_sizes(inputs)
    yield dynamic_dims(inputs, {})
    for part in _LEAST_PARTS if usual else ():
        yield dynamic_dims(inputs, {name: size // part for name, size in usual.items()})


def _captured(module: torch.nn.Module, inputs: tuple[InputSpec, ...], dims: Any) -> ExportedProgram:
    try:
        return _export(module, inputs, dims)
    except torch._dynamo.exc.UserError as error:
        refined = _refined(error, dims)
        if refined is None or fixes_an_axis(refined):
            raise _failed(error, inputs) from error
        try:
            return _export(module, inputs, with_least(refined, dims))
        except Exception as second:  # torch.export raises anything, and so does a model's own code
            raise _failed(second, inputs) from second
    except Exception as error:  # as above
        raise _failed(error, inputs) from error


def _export(module: torch.nn.Module, inputs: tuple[InputSpec, ...], dims: Any) -> ExportedProgram:
    arguments = example_inputs(inputs)

    def export() -> ExportedProgram:
        with torch.no_grad(), recurrent_shapes(), even_parts(module, inputs):
            return torch.export.export(module, arguments, dynamic_shapes=dims, strict=False)

    try:
        return export()
    except RuntimeError as error:
        if not is_unknown_container(error):
            raise
    with flat_outputs(module):
        return export()


def _refined(error: Exception, dims: Any) -> Any | None:
    """The dims with torch's own suggestions taken over (``H = 32*_H``); ``None`` when it has none."""
    message, _, after = str(error).partition(_SUGGESTIONS)
    fixes = after.strip().partition("\n\n")[0]  # what torch 2.13 writes after them, its own function cannot read
    try:
        return torch.export.dynamic_shapes.refine_dynamic_shapes_from_suggested_fixes(
            f"{message}{_SUGGESTIONS}\n{fixes}", dims
        )
    except Exception:  # the function's only contract is its message format; without suggestions the first error stands
        return None


def _failed(error: Exception, inputs: tuple[InputSpec, ...]) -> AttemptFailed:
    kind = torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode
    data_dependent = isinstance(error, kind) or isinstance(error.__cause__, kind)
    if data_dependent:
        return AttemptFailed(f"{DATA_DEPENDENT}: {first_line(error)}", of_exception(error), data_dependent=True)
    violations = (
        re.findall(r"^ *- (.+?)(?:\. If you|$)", str(error), re.MULTILINE)
        if "Constraints violated" in str(error)
        else []
    )
    if violations:
        reason = f"the model's code does not work for every size of its inputs: {' '.join(violations)}"
        fixed = any("specialized it" in each for each in violations)
        return AttemptFailed(f"{reason}; {FIXED_AXIS}" if default_sizes(inputs) else reason, size_dependent=not fixed)
    return AttemptFailed(first_line(error), of_exception(error))
