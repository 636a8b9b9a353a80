"""Which tensor of the float file each activation of its int8 file stands for."""

from __future__ import annotations

from typing import Any

from quantize.correction.stepped_model import SteppedModel
from verify.stepping.contents import name_of, name_of_op

CASTS = frozenset({"QUANTIZE", "DEQUANTIZE"})


def counterparts(exact: SteppedModel, stored: SteppedModel) -> dict[int, int]:
    """Index in the int8 file → index in the float file: of the same name, or the other side of a cast of one."""
    by_name = {name_of(tensor): at for at, tensor in enumerate(exact.graph.tensors)}
    found = {at: by_name[name] for at, name in _activations(stored) if name in by_name}
    casts = [_ends(each) for each in stored.graph.operators if name_of_op(stored.model, each) in CASTS]
    for source, result in casts:
        if source in found:
            found.setdefault(result, found[source])
    for source, result in reversed(casts):
        if result in found:
            found.setdefault(source, found[result])
    return found


def makers(model: SteppedModel) -> dict[int, int]:
    """The op that gives each tensor, by index."""
    return {int(at): number for number, each in enumerate(model.graph.operators) for at in each.outputs}


def _ends(operator: Any) -> tuple[int, int]:
    return int(operator.inputs[0]), int(operator.outputs[0])


def _activations(model: SteppedModel) -> list[tuple[int, str]]:
    given = {int(at) for each in model.graph.operators for at in each.outputs} | set(map(int, model.graph.inputs))
    return [(at, name_of(model.graph.tensors[at])) for at in sorted(given)]
