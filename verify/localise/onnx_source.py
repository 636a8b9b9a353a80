"""Which PyTorch module and line an ONNX node comes from, as torch's newer exporter wrote it into the node."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

_SCOPES, _TRACE = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.stack_trace"
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_CLASSES = "pkg.torch.onnx.class_hierarchy"
_NOWHERE = "_empty_nn_module_stack"
"""What torch writes of a node that it added itself."""

_LIBRARY = re.compile(r"(^|/)(torch|torchvision/ops|site-packages/torch)/")


def _property(node: Any, key: str) -> str:
    return next((str(entry.value) for entry in node.metadata_props if entry.key == key), "")


def module_of(node: Any) -> str:
    """``features.0.1`` of a node that this module's ``forward`` came to; empty where the exporter did not say."""
    return _last_but_one(_property(node, _SCOPES))


def module_type_of(node: Any) -> str:
    """``Conv2d`` of a node in such a module; empty for the whole model, or where the exporter did not say."""
    return _last_but_one(_property(node, _CLASSES)).rpartition(".")[2] if module_of(node) else ""


def _last_but_one(listed: str) -> str:
    """Of scopes or classes from the model inwards; the last is the op itself."""
    try:
        found = ast.literal_eval(listed or "[]")
    except (SyntaxError, ValueError):
        return ""
    return str(found[-2]) if len(found) > 1 and not str(found[-2]).startswith(_NOWHERE) else ""


def source_of(node: Any) -> str:
    """``file:line`` of the innermost call outside torch itself; empty where the exporter did not say."""
    return source_in(_property(node, _TRACE))


def source_in(trace: str) -> str:
    """``file:line`` of the innermost call outside torch itself in a printed stack, innermost call last."""
    frames = [(match["file"], match["line"]) for match in _FRAME.finditer(trace)]
    own = [frame for frame in frames if not _LIBRARY.search(frame[0])]
    return ":".join((own or frames)[-1]) if frames else ""


def sources_beside(model: Path) -> dict[str, str]:
    """Module path → ``file:line``, from the ONNX file that a conversion left beside its TFLite files."""
    stem = model.stem
    for suffix in ("_saved_model", "_float32", "_float16", "_dynamic_int8", "_int8"):
        stem = stem.removesuffix(suffix)
    path = model.with_name(f"{stem}.onnx")
    if not path.is_file():
        return {}
    import onnx

    found: dict[str, str] = {}
    for node in onnx.load(str(path), load_external_data=False).graph.node:
        found.setdefault(module_of(node), source_of(node))
    return {module: source for module, source in found.items() if module and source}
