"""What ``--dynamic`` means: names for axes of an input whose shape is known, as ``image=N,3,H,W``.

It is the left part of an ``--input``; an input that gives names itself (``--input image=N,3,H,W``) needs none here. The
sizes that had been there stay what the model is traced at and first run at.
"""

from __future__ import annotations

import dataclasses
import re

from verify.errors import InputSpecInvalid
from verify.samples import InputSpec
from verify.signature import BATCH, Dim

_HOW = "write NAME=DIMS with a name for each axis that is free and the size of every other, as image=N,3,H,W"


def name_axes(inputs: tuple[InputSpec, ...], texts: tuple[str, ...]) -> tuple[InputSpec, ...]:
    """The inputs with the axes named that the texts name; raises ``InputSpecInvalid``."""
    named = list(inputs)
    for text in texts:
        name, separator, dims = text.partition("=")
        at = next((index for index, spec in enumerate(inputs) if spec.name == name), None)
        if not separator or at is None:
            known = ", ".join(_shown(spec) for spec in inputs)
            raise InputSpecInvalid(f"--dynamic {text} names no input of the model; it has {known}", fix=_HOW)
        named[at] = _named(text, dims, named[at])
    return tuple(named)


def _named(text: str, dims: str, spec: InputSpec) -> InputSpec:
    parts = [part.strip() for part in dims.split(",")]
    if ":" in dims:
        raise InputSpecInvalid(f"--dynamic {text} says what the input holds, which is --input's", fix=_HOW)
    if len(parts) != len(spec.shape) or not all(re.fullmatch(r"\d+|[A-Za-z_]\w*", part) for part in parts):
        raise InputSpecInvalid(f"--dynamic {text} does not fit {_shown(spec)}", fix=_HOW)
    shape: list[Dim] = [BATCH]
    for part, dim in zip(parts[1:], spec.shape[1:], strict=True):
        if part.isdigit() and int(part) != dim:
            raise InputSpecInvalid(
                f"--dynamic {text} says {part} where {_shown(spec)} has {dim}", fix="change sizes with --input"
            )
        shape.append(dim if part.isdigit() else part)
    sizes = tuple(spec.size_at(axis) if axis else 1 for axis in range(len(shape)))
    return dataclasses.replace(spec, shape=tuple(shape), sizes=sizes)


def _shown(spec: InputSpec) -> str:
    return f"{spec.name}={','.join(str(dim) for dim in spec.shape)}"
