"""Where in the user's PyTorch code something went wrong."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

_TORCH_FOLDER = str(Path(torch.__file__).parent)
_OURS = str(Path(__file__).parents[2])
_OUR_PACKAGES = tuple(str(Path(_OURS) / package) for package in ("convert", "verify", "quantize"))


def of_exception(error: BaseException) -> str | None:
    """The innermost line outside torch and this project on the way to an error or its causes."""
    seen: BaseException | None = error
    while seen is not None:
        for frame in reversed(traceback.extract_tb(seen.__traceback__)):
            if _is_model_code(frame.filename):
                return f"{frame.filename}:{frame.lineno}, in {frame.name}: {(frame.line or '').strip()}"
        seen = seen.__cause__ or seen.__context__
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
            return f"{filename}:{number}, in {function}: {code}"
    return None


def _is_model_code(filename: str) -> bool:
    if filename.startswith(("<", _TORCH_FOLDER, *_OUR_PACKAGES)):
        return False
    return "/contextlib.py" not in filename and "/functools.py" not in filename
