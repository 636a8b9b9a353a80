"""When no exporter can write a model: is it the model, or the inputs it was given?"""

from __future__ import annotations

import torch

from convert.export.examples import example_inputs
from verify.errors import InputSpecInvalid
from verify.samples import InputSpec


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
