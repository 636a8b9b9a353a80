"""Where in the user's PyTorch code a node comes from, as torch's exporter wrote it into the node's metadata."""

from __future__ import annotations

import re

import onnx_ir as ir

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


def source_line(node: ir.Node) -> str | None:
    """``net.py:31: x = torch.special.bessel_j0(x)``, the innermost frame of the stack trace; ``None`` without one."""
    lines = [line.strip() for line in node.metadata_props.get("pkg.torch.onnx.stack_trace", "").splitlines()]
    frames = [(index, match) for index, line in enumerate(lines) if (match := _FRAME.search(line))]
    if not frames:
        return None
    index, match = frames[-1]
    code = lines[index + 1] if index + 1 < len(lines) else ""
    where = f"{match['file']}:{match['line']}"
    return f"{where}: {code}" if code else where


def is_embedding(node: ir.Node) -> bool:
    """Whether torch wrote the node for ``embedding``, which refuses negative indices: none has to be wrapped round."""
    return "'aten.embedding.default'" in node.metadata_props.get("pkg.torch.onnx.class_hierarchy", "")


def describe(node: ir.Node) -> str:
    """A node for an error message: op, name, and the source line if it is known."""
    domain = f"{node.domain}." if node.domain else ""
    name = f" (node {node.name!r})" if node.name else ""
    line = source_line(node)
    return f"{domain}{node.op_type}{name}" + (f", from {line}" if line else "")
