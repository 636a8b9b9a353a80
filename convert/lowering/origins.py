"""Which PyTorch module each TensorFlow op comes from, as torch's newer exporter wrote it into the ONNX nodes.

Kept beside the graph in the SavedModel (``assets.extra/modules.json``), since op names say nothing of modules and the
TFLite compiler names its tensors after the ops that it fused. :mod:`verify.modules` reads it.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from convert.layout.value import Value

FILE = Path("assets.extra", "modules.json")


class Origins:
    """Collects, node by node, the ops that a trace makes."""

    def __init__(self) -> None:
        self._modules: dict[str, str] = {}

    def attribute(self, node: ir.Node, results: Sequence[Value]) -> None:
        """Whatever the node's results need and no node before it made, it made."""
        module = module_path(node)
        waiting = [getattr(value.data, "op", None) for value in results if value.is_tensor]
        while waiting:
            op: Any = waiting.pop()
            if op is not None and op.name not in self._modules and op.type != "Placeholder":
                self._modules[op.name] = module
                waiting += [operand.op for operand in op.inputs]

    def modules(self) -> Mapping[str, str]:
        """Op name → module path, of the ops whose module is known."""
        return {op: module for op, module in self._modules.items() if module}


def module_path(node: ir.Node) -> str:
    """``features.0.1`` of a node that module's ``forward`` came to; empty where the exporter did not say."""
    written = node.metadata_props.get("pkg.torch.onnx.name_scopes", "")
    try:
        scopes = ast.literal_eval(written) if written else []
    except (SyntaxError, ValueError):
        return ""
    return str(scopes[-2]) if len(scopes) > 1 else ""


def write_modules(folder: Path, modules: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Write the map into a SavedModel folder; nothing where nothing is known. ``outputs`` are the signature's."""
    if not modules:
        return
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"ops": dict(modules), "outputs": dict(outputs)}, indent=0), encoding="utf-8")
