"""Corrections that put other ops in the place of some, which the samples need not be known for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from quantize.correction.names import Correction
from quantize.correction.one_affine import use_one_affine
from quantize.correction.one_norm import use_one_norm
from verify.flatbuffer import unpack
from verify.runners.tflite_file import open_model, tensor_map
from verify.runners.tflite_inspect import opcode_names
from verify.stepping.contents import name_of

_CHANGES: Mapping[str, Callable[[Any, int], int]] = {
    Correction.NORM: use_one_norm,
    Correction.AFFINE: use_one_affine,
}
"""Each changes an unpacked float model, in one of its subgraphs, and gives how many places there were."""

_NEEDS = {Correction.NORM: {"MEAN", "RSQRT"}, Correction.AFFINE: {"MUL", "ADD"}}


def structure_for(model: Path, wanted: Collection[Correction], kept: Collection[str] = ()) -> tuple[str, ...]:
    """Which of the wanted ones change anything in a float file, and leave the ops that give the tensors ``kept``."""
    with open_model(model) as opened:
        present = set(opcode_names(opened))
    found: tuple[str, ...] = ()
    for each in _CHANGES:
        if each in wanted and _NEEDS[Correction(each)] <= present:
            unpacked, subgraph = unpack(model.read_bytes()), main_subgraph(model)
            restructure(unpacked, subgraph, found)
            if _CHANGES[each](unpacked, subgraph) and set(kept) <= _given(unpacked.subgraphs[subgraph]):
                found = (*found, str(each))
    return found


def _given(graph: Any) -> set[str]:
    return {name_of(graph.tensors[int(at)]) for operator in graph.operators for at in operator.outputs}


def restructure(unpacked: Any, subgraph: int, names: Collection[str]) -> None:
    """Change an unpacked float model by these."""
    for name, change in _CHANGES.items():
        if name in names:
            change(unpacked, subgraph)


def main_subgraph(model: Path) -> int:
    """The subgraph that the file's signature names."""
    with open_model(model) as opened:
        return tensor_map(opened).subgraph
