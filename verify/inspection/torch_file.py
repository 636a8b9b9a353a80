"""Inspecting a PyTorch file as data: nothing in it is unpickled or run, and torch is not imported."""

from __future__ import annotations

import json
import math
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verify.checkpoint import danger
from verify.checkpoint.contents import Container, Contents
from verify.checkpoint.recognise import recognised_if_known
from verify.checkpoint.sniff import read_contents
from verify.checkpoint.tensors import ITEM_BYTES
from verify.checkpoint.weights import find_weights, holds_pickled_module, scripted_weights, spellings
from verify.errors import CheckpointUnreadable
from verify.inspection.torch_program import program_ops, program_signature, read_program
from verify.inspection.types import SCHEMA_VERSION, Inspection, Layer

_SAFETENSORS_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


@dataclass(frozen=True)
class Weight:
    """A tensor as the file describes it."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Of its elements; 0 for a dtype that is not known."""
        return math.prod(self.shape) * ITEM_BYTES.get(self.dtype, 0)


def inspect_torch(path: Path) -> Inspection:
    """Job: what the file holds; raises ``CheckpointUnreadable``."""
    contents = read_contents(path)
    if contents is None:
        return _inspection(path, "safetensors file", _safetensors(path), ())
    if contents.container is Container.EXPORTED:
        return _exported(path, contents)
    weights, notes = _weights(contents)
    return _inspection(path, str(contents.container), weights, (*notes, *_calls(contents)))


def _weights(contents: Contents) -> tuple[dict[str, Weight], tuple[str, ...]]:
    root = contents.pickle.root
    if contents.container is Container.TORCHSCRIPT:
        tensors: Mapping[str, Any] = scripted_weights(root)
        return {name: Weight(one.dtype, one.shape) for name, one in tensors.items()}, ()
    found = find_weights(root)
    if found is None:
        what = "a whole pickled object" if holds_pickled_module(root) else "no weights that can be told"
        return {}, (f"it holds {what}: its tensors are known only after its code has run, which nothing here does",)
    notes = (f"the weights lie under {danger.printable(found.where)!r}",) if found.where else ()
    left = (f"beside the weights: {danger.listed(found.left_out)}",) if found.left_out else ()
    return {danger.printable(name): Weight(one.dtype, one.shape) for name, one in found.tensors.items()}, notes + left


def _calls(contents: Contents) -> tuple[str, ...]:
    called = tuple(dict.fromkeys(contents.pickle.called))
    return (f"loading it would call {danger.listed(called)}",) if called else ()


def _safetensors(path: Path) -> dict[str, Weight]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length))
            return {
                danger.printable(name): Weight(_SAFETENSORS_DTYPES.get(one["dtype"], one["dtype"]), tuple(one["shape"]))
                for name, one in header.items()
                if name != "__metadata__"
            }
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise CheckpointUnreadable(
                f"{path} begins like a safetensors file but is truncated or damaged ({error})",
                fix="copy or download it again; its size should be that of the original",
            ) from error


def _exported(path: Path, contents: Contents) -> Inspection:
    try:
        with zipfile.ZipFile(path) as archive:
            program, sizes = read_program(archive)
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointUnreadable(
            f"{path} is a damaged exported program: {error}", fix="export it again with torch.export.save"
        ) from error
    weights = {name: Weight(dtype, shape) for name, (dtype, shape) in sizes.items()}
    found = _inspection(path, str(contents.container), weights, ())
    return replace(found, ops=(*program_ops(program), *found.ops), signatures=program_signature(program))


def _inspection(path: Path, kind: str, weights: Mapping[str, Weight], notes: tuple[str, ...]) -> Inspection:
    learnt = {name: one for name, one in weights.items() if not _is_bookkeeping(name)}
    return Inspection(
        schema_version=SCHEMA_VERSION,
        path=path.name,
        format=kind,
        bytes=path.stat().st_size,
        parameters=sum(math.prod(one.shape) for one in learnt.values()) if weights else None,
        weight_bytes=sum(one.bytes for one in learnt.values()) if weights else None,
        layers=tuple(sorted(_modules(learnt), key=lambda layer: -layer.weight_bytes)),
        metadata=tuple(_metadata(weights)),
        notes=(*_architecture(path, weights), *notes),
    )


def _is_bookkeeping(name: str) -> bool:
    return name.rpartition(".")[2] == "num_batches_tracked"


def _modules(weights: Mapping[str, Weight]) -> Iterator[Layer]:
    """One for each module that holds tensors of its own, buffers counted with parameters."""
    grouped: dict[str, list[Weight]] = {}
    for name, one in weights.items():
        grouped.setdefault(name.rpartition(".")[0], []).append(one)
    for index, (module, those) in enumerate(grouped.items()):
        yield Layer(
            subgraph=0,
            index=index,
            op="module",
            name=module or "(the model itself)",
            parameters=sum(math.prod(one.shape) for one in those),
            weight_bytes=sum(one.bytes for one in those),
        )


def _metadata(weights: Mapping[str, Weight]) -> Iterator[tuple[str, str]]:
    if weights:
        yield "tensors", str(len(weights))
        counts = Counter(one.dtype for one in weights.values())
        yield "dtypes", ", ".join(f"{dtype} ({count})" for dtype, count in counts.most_common())


def _architecture(path: Path, weights: Mapping[str, Weight]) -> tuple[str, ...]:
    if not weights:
        return ()
    shapes = {name: one.shape for name, one in weights.items()}
    match = recognised_if_known(path, [way for _, way in spellings(shapes)])
    if match is None:
        return ("its tensors fit no architecture of torchvision or timm",)
    classes = f", {match.classes} classes" if match.classes else ""
    return (f"its tensors are those of {match.architecture.title}{classes}", *match.notes)
