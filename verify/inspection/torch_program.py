"""The graph of an exported program (.pt2), read from the JSON that it holds."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from typing import Any

from verify.errors import CheckpointUnreadable
from verify.inspection.types import NamedSignature, OpKind
from verify.signature import BATCH, Dim, TensorSpec

_LARGEST_JSON_BYTES = 256 * 2**20
_DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
}  # fmt: skip
"""``ScalarType`` of torch's export schema (``torch/_export/serde/schema.py``)."""

Sizes = dict[str, tuple[str, tuple[int, ...]]]
"""``(dtype, shape)`` of each weight, by its name in the module."""


def read_program(archive: zipfile.ZipFile) -> tuple[dict[str, Any], Sizes]:
    """The program's graph module, and what it says of its weights."""
    names = [info.filename for info in archive.infolist()]
    model = next((name for name in names if "/models/" in name and name.endswith(".json")), "")
    model = model or next((name for name in names if name.endswith("serialized_exported_program.json")), "")
    if not model or archive.getinfo(model).file_size > _LARGEST_JSON_BYTES:
        raise CheckpointUnreadable("the exported program holds no graph that can be read", fix="export it again")
    program = json.loads(archive.read(model))
    module = program["graph_module"]
    values = module["graph"]["tensor_values"]
    sizes = {
        target: (_dtype(values[name]), tuple(_size(size) for size in values[name]["sizes"]))
        for name, target in _weight_names(module["signature"])
        if name in values
    }
    return module, sizes


def program_ops(module: dict[str, Any]) -> tuple[OpKind, ...]:
    """Operators by name, most frequent first."""
    counts = Counter(str(node["target"]).removeprefix("torch.ops.") for node in module["graph"]["nodes"])
    return tuple(OpKind(op, count) for op, count in counts.most_common())


def program_signature(module: dict[str, Any]) -> tuple[NamedSignature, ...]:
    """What the program takes and gives, its own names for the tensors."""
    values, signature = module["graph"]["tensor_values"], module["signature"]
    inputs = [spec["user_input"]["arg"] for spec in signature["input_specs"] if "user_input" in spec]
    outputs = [spec["user_output"]["arg"] for spec in signature["output_specs"] if "user_output" in spec]
    return (NamedSignature("", _specs(inputs, values), _specs(outputs, values)),)


def _weight_names(signature: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for spec in signature["input_specs"]:
        for kind, field in (("parameter", "parameter_name"), ("buffer", "buffer_name")):
            if kind in spec:
                found.append((spec[kind]["arg"]["name"], spec[kind][field]))
    return found


def _specs(arguments: list[dict[str, Any]], values: dict[str, Any]) -> tuple[TensorSpec, ...]:
    names = [argument["as_tensor"]["name"] for argument in arguments if "as_tensor" in argument]
    return tuple(
        TensorSpec(
            name,
            _dtype(values[name]),
            tuple(_dim(size, axis, name) for axis, size in enumerate(values[name]["sizes"])),
        )
        for name in names
    )


def _dtype(value: dict[str, Any]) -> str:
    return _DTYPES.get(value["dtype"], f"dtype {value['dtype']}")


def _size(size: dict[str, Any]) -> int:
    return int(size.get("as_int", 0))


def _dim(size: dict[str, Any], axis: int, name: str) -> Dim:
    if "as_int" in size:
        return int(size["as_int"])
    return BATCH if axis == 0 else f"{name}_{axis}"
