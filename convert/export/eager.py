"""What the model does in PyTorch itself, where an exporter's answer is not enough: on its inputs, at other sizes."""

from __future__ import annotations

import torch

from convert.export.attempt import AttemptFailed, first_line
from convert.export.check import FIXED_AXIS
from convert.export.examples import example_inputs
from convert.export.source_line import of_exception
from verify.errors import InputSpecInvalid
from verify.samples import InputSpec
from verify.samples.axes import described, other_sizes
from verify.signature import DynamicAxis


def require_inputs_fit(module: torch.nn.Module, inputs: tuple[InputSpec, ...]) -> None:
    """Run the model as PyTorch itself would; raises ``InputSpecInvalid`` when even that fails on these inputs."""
    try:
        with torch.inference_mode():
            module(*example_inputs(inputs))
    except Exception as error:  # the model is the user's code: it may raise anything
        given = "; ".join(f"{spec.name} {spec.dtype}[{', '.join(map(str, spec.shape))}]" for spec in inputs)
        raise InputSpecInvalid(
            f"PyTorch itself cannot run the model on {given}: {type(error).__name__}: {error}",
            fix="give the inputs the model takes, such as --input image=N,3,224,224",
        ) from error


def require_sizes_fit(module: torch.nn.Module, inputs: tuple[InputSpec, ...], axes: tuple[DynamicAxis, ...]) -> None:
    """Raise :class:`AttemptFailed`, with what torch says, where the model itself takes no other size of a named axis.

    torch's newer exporter writes such a model: it leaves the check to whoever runs it.
    """
    for sizes in other_sizes(inputs, axes):
        try:
            with torch.no_grad():
                module(*example_inputs(inputs, batch=1, sizes=dict(sizes)))
        except Exception as error:  # a model's own code raises anything
            where = of_exception(error)
            raise AttemptFailed(
                f"the model itself fails at {described(sizes)}: {first_line(error)}; {FIXED_AXIS}", where
            ) from error
