"""Whether two models can be fed the same samples: which tensor of one is which of the other, and of what shape."""

from __future__ import annotations

from typing import Literal

from verify.errors import InputError
from verify.opening import Opened
from verify.signature import Dim, TensorSpec

Side = Literal["input", "output"]


def pair_tensors(side: Side, expected: Opened, actual: Opened) -> dict[str, str]:
    """Pair tensors by name and check that each pair has one shape in PyTorch layout; raises ``InputError``.

    Returns ``{name in expected: name in actual}`` where the two differ. That is allowed only where nothing can be
    confused: each model has exactly one input (or output). Outputs that only one model has are left to the comparison.
    """
    ours, theirs = _specs(side, expected), _specs(side, actual)
    if len(ours) == len(theirs) == 1:
        _check_shape(ours[0], theirs[0], expected, actual)
        return {} if ours[0].name == theirs[0].name else {ours[0].name: theirs[0].name}
    by_name = {spec.name: spec for spec in theirs}
    if side == "input" and {spec.name for spec in ours} != by_name.keys():
        raise InputError(
            f"{expected.artifact.path.name} takes {_names(ours)}, {actual.artifact.path.name} takes {_names(theirs)}: "
            "expected the same names",
            fix="export both with the same input names",
        )
    for spec in ours:
        if spec.name in by_name and (side == "input" or not (expected.declared and actual.declared)):
            _check_shape(spec, by_name[spec.name], expected, actual)
    return {}


def _specs(side: Side, opened: Opened) -> tuple[TensorSpec, ...]:
    signature = opened.artifact.signature
    return signature.inputs if side == "input" else signature.outputs


def _check_shape(ours: TensorSpec, theirs: TensorSpec, expected: Opened, actual: Opened) -> None:
    if _same_shape(ours.torch_shape, theirs.torch_shape):
        return
    undeclared = [(spec.name, it) for spec, it in ((ours, expected), (theirs, actual)) if not it.declared]
    fix = "compare models of the same sizes"
    if undeclared and len(ours.shape) in (4, 5):
        files = " and ".join(opened.artifact.path.name for _, opened in undeclared)
        fix = f"say how {files} stores it, for example --layout {undeclared[0][0]}={_channels_last(ours)}"
    raise InputError(
        f"{ours.name} is {_shape(ours)} in {expected.artifact.path.name} and {_shape(theirs)} in "
        f"{actual.artifact.path.name}, in PyTorch layout as declared: expected the same",
        fix=fix,
    )


def _same_shape(ours: tuple[Dim, ...], theirs: tuple[Dim, ...]) -> bool:
    return len(ours) == len(theirs) and all(
        isinstance(one, str) or isinstance(other, str) or one == other for one, other in zip(ours, theirs, strict=True)
    )


def _shape(spec: TensorSpec) -> str:
    return f"({', '.join(str(dim) for dim in spec.torch_shape)})"


def _channels_last(spec: TensorSpec) -> str:
    return "NHWC" if len(spec.shape) == 4 else "NDHWC"


def _names(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(spec.name for spec in specs) or "nothing"
