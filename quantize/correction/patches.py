"""How what corrections decided gets into a model: element by element, so that it comes out the same everywhere.

Weights and biases that some rule leaves in float are left alone.
"""

from __future__ import annotations

import base64
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from quantize.correction.decisions import Corrections
from quantize.correction.own_biases import give_own_biases
from quantize.correction.structure import main_subgraph, restructure
from verify.flatbuffer import unpack, write
from verify.stepping.contents import constant, name_of, replace_constant

_LEVEL = 1
BIAS_TYPES = (np.int32, np.int64)


def packed(values: npt.NDArray[Any]) -> str:
    """An array's bytes as text. Shape and type are known where it is read."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), _LEVEL)).decode("ascii")


def opened(text: str, dtype: Any) -> npt.NDArray[Any]:
    """The array, flat."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


@contextmanager
def prepared(model: Path, corrections: Corrections) -> Iterator[Path]:
    """The float file with other ops, own biases and scaled constants, while the context is open; the very file if it
    has none of these.
    """
    if not corrections.structure and not corrections.scaled and not corrections.own_biases:
        yield model
        return
    unpacked = unpack(model.read_bytes())
    if corrections.structure:
        restructure(unpacked, main_subgraph(model), corrections.structure)
    give_own_biases(unpacked)
    by_name = {each.tensor: each for each in corrections.scaled}
    for graph, at in _named(unpacked, by_name):
        values, each = constant(unpacked, graph, at), by_name[name_of(graph.tensors[at])]
        if values is not None:
            factors = opened(each.factors, np.float32).reshape(each.shape)
            replace_constant(unpacked, graph, at, values * factors)
    moves = {each.tensor: each.by for each in corrections.shifted}
    for graph, at in _named(unpacked, moves):
        values = constant(unpacked, graph, at)
        if values is not None:
            replace_constant(unpacked, graph, at, values + opened(moves[name_of(graph.tensors[at])], np.float32))
    with tempfile.TemporaryDirectory(prefix="quantize-") as folder:
        path = Path(folder) / model.name
        write(unpacked, path)
        yield path


def apply_patches(unpacked: Any, corrections: Corrections) -> None:
    """Change weights and biases of an unpacked int8 model."""
    steps = {each.tensor: each.steps for each in corrections.rounded}
    for graph, at in _named(unpacked, steps):
        values = constant(unpacked, graph, at, np.int8)
        if values is not None:
            moved = values + opened(steps[name_of(graph.tensors[at])], np.int8).reshape(values.shape)
            replace_constant(unpacked, graph, at, moved)
    moves = {each.tensor: each.by for each in corrections.biases}
    for graph, at in _named(unpacked, moves):
        for dtype in BIAS_TYPES:
            values = constant(unpacked, graph, at, dtype)
            if values is not None:
                by = opened(moves[name_of(graph.tensors[at])], np.float32)
                replace_constant(unpacked, graph, at, moved_bias(values, by, graph.tensors[at].quantization.scale))


def moved_bias(stored: npt.NDArray[Any], by: npt.NDArray[Any], scale: Any) -> npt.NDArray[Any]:
    """A stored bias, with ``by`` added in steps of ``scale``; stays within its type."""
    limits = np.iinfo(np.int32)
    steps = np.rint(by.reshape(-1).astype(np.float64) / np.asarray(scale, np.float64))
    moved: npt.NDArray[Any] = np.clip(stored.reshape(-1) + steps, limits.min, limits.max)
    back: npt.NDArray[Any] = moved.reshape(stored.shape).astype(stored.dtype)
    return back


def _named(unpacked: Any, names: Any) -> Iterator[tuple[Any, int]]:
    for graph in unpacked.subgraphs:
        for at, tensor in enumerate(graph.tensors):
            if name_of(tensor) in names:
                yield graph, at
