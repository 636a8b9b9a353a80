"""Models in chunks that a disk holds, the small ones first."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from convert.zoo.job import SourceKind
from convert.zoo.plan import PlannedModel
from verify.checkpoint.index import load_index

CHUNK_BYTES = 800 << 20
"""Weights of a chunk: its checkpoints, ONNX files, SavedModels and TFLite files are about six times that."""
CHUNK_MODELS = 8
TIERS_BYTES = (50 << 20, 160 << 20, 500 << 20)
"""All small models of all zoos go first, then the larger ones: a run that is cut short has the most rows."""
UNKNOWN_BYTES = 50 << 20
_CLASSES = 1000
_CLASS_DIM = re.compile(r"c(\d+)\+(-?\d+)")
TIERS = len(TIERS_BYTES) + 1


def chunks(models: Sequence[PlannedModel]) -> Iterator[list[PlannedModel]]:
    """Models in chunks of bounded number and weight; one that is too heavy for any is alone."""
    chunk: list[PlannedModel] = []
    for model in sorted(models, key=weight_bytes):
        if chunk and (len(chunk) == CHUNK_MODELS or sum(map(weight_bytes, [*chunk, model])) > CHUNK_BYTES):
            yield chunk
            chunk = []
        chunk.append(model)
    if chunk:
        yield chunk


def weight_bytes(model: PlannedModel) -> int:
    """What a library's architecture weighs in float32, from the index; a guess for any other source."""
    source = model.task.source
    if source.kind not in {SourceKind.TORCHVISION, SourceKind.TIMM}:
        return UNKNOWN_BYTES
    architecture = load_index(source.kind.value).named(source.location.partition(".")[0])[0]
    return 4 * sum(math.prod(_sizes(dims)) for dims in architecture.shapes)


def _sizes(dims: str) -> Iterator[int]:
    for dim in dims.split(",") if dims else ():
        match = _CLASS_DIM.fullmatch(dim)
        yield 3 if dim == "i" else int(match[1]) * _CLASSES + int(match[2]) if match else int(dim)


def tier_of(model: PlannedModel) -> int:
    """Small models have a low one."""
    return sum(weight_bytes(model) > limit for limit in TIERS_BYTES)
