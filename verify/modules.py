"""Which PyTorch modules the tensors of a TFLite file come from.

The conversion leaves a map from TensorFlow op to module in the SavedModel folder; the TFLite compiler names a tensor
after the ops that it fused into the one that gives it, ``Conv2D_3;BiasAdd_3/ReadVariableOp``, with a number behind
where two would be named alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_FILE = Path("assets.extra", "modules.json")


@dataclass(frozen=True)
class Modules:
    """TensorFlow op → module path, and signature output → module path. Empty where the conversion left no map."""

    ops: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    def of_tensor(self, name: str) -> tuple[str, ...]:
        """The modules whose ops were fused into the one that gives this tensor, in order of name."""
        found = {self._of_op(part) for part in name.split(";")}
        return tuple(sorted(module for module in found if module))

    def _of_op(self, name: str) -> str:
        """Of the op itself, or of the one whose name is this but for digits at its end: as few as possible."""
        while name and name not in self.ops and name[-1].isdigit():
            name = name[:-1]
        return self.ops.get(name, "")


def modules_beside(model: Path) -> Modules:
    """The map for ``NAME_float32.tflite``, ``NAME_int8.tflite`` …, from ``NAME_saved_model`` in the same folder."""
    name = model.stem
    while name:
        folder = model.with_name(f"{name}_saved_model")
        if folder.is_dir():
            return modules_in(folder)
        name = name.rpartition("_")[0]
    return Modules()


def modules_in(saved_model: Path) -> Modules:
    """The map that the conversion left in a SavedModel folder."""
    try:
        written = json.loads((saved_model / _FILE).read_text(encoding="utf-8"))
        return Modules(dict(written["ops"]), dict(written["outputs"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Modules()
