"""Where in the user's PyTorch code something comes from, in words that are the same on every machine.

A file of an installed library is named from the library's folder on, one below the current folder from there on.
"""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path
from typing import Any

import torch

_TORCH_FOLDER = str(Path(torch.__file__).parent)
_OURS = str(Path(__file__).parents[2])
_TRACE = "pkg.torch.onnx.stack_trace"
_OUR_PACKAGES = tuple(str(Path(_OURS) / package) for package in ("convert", "verify", "quantize"))


def portable(filename: str) -> str:
    """``torch/nn/modules/conv.py``, ``nets/lenet.py``; as it is for a file that lies elsewhere."""
    path = Path(filename)
    homes = {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib", "stdlib")}
    homes |= {Path(_TORCH_FOLDER).parent, Path.cwd()}
    around = [home for home in homes if path.is_relative_to(home)]
    return path.relative_to(max(around, key=lambda home: len(home.parts))).as_posix() if around else filename


def make_traces_portable(model: Any) -> None:
    """Rewrite, in place, the stack traces that torch keeps with the nodes of an ``onnx_ir.Model``."""
    names: dict[str, str] = {}
    for graph in (model.graph, *model.functions.values()):
        for node in graph.all_nodes():
            trace = node.metadata_props.get(_TRACE)
            if trace is not None:
                node.metadata_props[_TRACE] = re.sub(
                    r'(?<=File ")[^"]+', lambda found: _remembered(names, found[0]), trace
                )


def of_exception(error: BaseException) -> str | None:
    """The innermost line outside torch and this project on the way to an error or its causes."""
    seen: BaseException | None = error
    while seen is not None:
        line = of_frames(traceback.extract_tb(seen.__traceback__))
        if line is not None:
            return line
        seen = seen.__cause__ or seen.__context__
    return None


def of_frames(frames: traceback.StackSummary) -> str | None:
    """The innermost of these frames that is outside torch and this project."""
    for frame in reversed(frames):
        if _is_model_code(frame.filename):
            return f"{portable(frame.filename)}:{frame.lineno}, in {frame.name}: {(frame.line or '').strip()}"
    return None


def of_stack_trace(stack_trace: str | None) -> str | None:
    """The innermost line of a stack trace that torch keeps with a graph node, outside torch itself."""
    lines = (stack_trace or "").splitlines()
    for place in range(len(lines) - 1, -1, -1):
        head = lines[place].strip()
        if not head.startswith('File "'):
            continue
        filename, _, rest = head.removeprefix('File "').partition('", line ')
        number, _, function = rest.partition(", in ")
        if _is_model_code(filename):
            code = lines[place + 1].strip() if place + 1 < len(lines) else ""
            return f"{portable(filename)}:{number}, in {function}: {code}"
    return None


def _remembered(names: dict[str, str], filename: str) -> str:
    if filename not in names:
        names[filename] = portable(filename)
    return names[filename]


def _is_model_code(filename: str) -> bool:
    if filename.startswith(("<", _TORCH_FOLDER, *_OUR_PACKAGES)):
        return False
    return "/contextlib.py" not in filename and "/functools.py" not in filename
