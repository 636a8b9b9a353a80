"""Whether two models can be fed the same samples: which tensor of one is which of the other, and of what shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from verify.errors import InputError
from verify.opening import Opened
from verify.signature import Dim, TensorSpec, channels_last_permutation

Side = Literal["input", "output"]


def pair_tensors(side: Side, expected: Opened, actual: Opened) -> dict[str, str]:
    """Pair tensors by name and check that each pair has one shape in PyTorch layout; raises ``InputError``.

    Returns ``{name in expected: name in actual}`` where the two differ. That is allowed only where nothing can be
    confused: each model has exactly one input (or output). Outputs that only one model has are left to the comparison.
    A tensor that one model does not declare the layout of, and that fits the other's in two, is refused.
    """
    ours, theirs = _specs(side, expected), _specs(side, actual)
    if len(ours) == len(theirs) == 1:
        _check(side, ours[0], theirs[0], expected, actual)
        return {} if ours[0].name == theirs[0].name else {ours[0].name: theirs[0].name}
    by_name = {spec.name: spec for spec in theirs}
    if side == "input" and {spec.name for spec in ours} != by_name.keys():
        raise InputError(
            f"{expected.artifact.path.name} takes {_names(ours)}, {actual.artifact.path.name} takes {_names(theirs)}: "
            "expected the same names",
            fix="export both with the same input names",
        )
    for spec in ours:
        if spec.name in by_name:
            _check(side, spec, by_name[spec.name], expected, actual)
    return {}


def _check(side: Side, ours: TensorSpec, theirs: TensorSpec, expected: Opened, actual: Opened) -> None:
    """Outputs of two models that know their layouts are the comparison's to judge, whatever their shapes."""
    known = expected.knows_layout(ours.name), actual.knows_layout(theirs.name)
    if side == "input" or not all(known):
        _check_shape(ours, theirs, expected, actual)
    if any(known) and not all(known):
        told, untold, opened = (ours, theirs, actual) if known[0] else (theirs, ours, expected)
        _refuse_ambiguous(told, untold, opened)


def _refuse_ambiguous(told: TensorSpec, untold: TensorSpec, opened: Opened) -> None:
    if len(untold.shape) not in (4, 5):
        return
    if_channels_last = replace(untold, permutation=channels_last_permutation(len(untold.shape))).torch_shape
    if _same_shape(told.torch_shape, if_channels_last):
        layouts = ("NHWC", "NCHW") if len(untold.shape) == 4 else ("NDHWC", "NCDHW")
        raise InputError(
            f"{opened.artifact.path.name} does not say how it stores {untold.name}: its shape {_shape(untold)} fits "
            f"{layouts[0]} as well as {layouts[1]}",
            fix=f"say which it is, for example --layout {untold.name}={layouts[0]}; or keep its signature.json by it",
        )


def _specs(side: Side, opened: Opened) -> tuple[TensorSpec, ...]:
    signature = opened.artifact.signature
    return signature.inputs if side == "input" else signature.outputs


def _check_shape(ours: TensorSpec, theirs: TensorSpec, expected: Opened, actual: Opened) -> None:
    if _same_shape(ours.torch_shape, theirs.torch_shape):
        return
    sides = ((ours, expected), (theirs, actual))
    undeclared = [(spec.name, it) for spec, it in sides if not it.knows_layout(spec.name)]
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
