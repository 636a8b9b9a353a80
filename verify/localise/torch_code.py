"""Where in a PyTorch model's code an op is called: the path and type of the module, and ``file:line``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from verify.localise.onnx_source import source_in

_LIBRARY = (str(Path(torch.__file__).parent) + "/", "/torchvision/ops/")


@dataclass(frozen=True)
class Call:
    """``features.3``, ``Conv2d``, ``net.py:45``; each is empty where it is not known."""

    module: str = ""
    module_type: str = ""
    source: str = ""


class CodeOfModules:
    """Says where a running module is. Within :meth:`watched` the modules that it calls are known."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module
        self._names = {id(each): name for name, each in reversed(list(module.named_modules(remove_duplicate=False)))}
        self._running: list[torch.nn.Module] = []

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Hooks on every module of this process, taken away at the end."""
        handles = [
            register_module_forward_pre_hook(lambda module, _: self._running.append(module)),
            register_module_forward_hook(lambda _, __, ___: self._left(), always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def call(self, *tensors: torch.Tensor) -> Any:
        """Run the model."""
        return self._module(*tensors)

    def _left(self) -> None:
        self._running.pop()

    def __call__(self) -> Call:
        inner = next((each for each in reversed(self._running) if self._names.get(id(each))), None)
        source = _own_frame(sys._getframe(1))
        return Call(source=source) if inner is None else Call(self._names[id(inner)], type(inner).__name__, source)


def _own_frame(frame: FrameType | None) -> str:
    """``file:line`` of the innermost call outside torch and this package, up to where the package called the model."""
    while frame is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    while frame is not None and frame.f_globals.get("__package__") != __package__:
        if not any(part in frame.f_code.co_filename for part in _LIBRARY):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


class CodeOfNodes(torch.fx.Interpreter):
    """Runs an exported program's graph; of the node that is running it says what ``torch.export`` noted of it."""

    def __init__(self, module: torch.fx.GraphModule) -> None:
        super().__init__(module)
        self._node: torch.fx.Node | None = None

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """Nothing needs watching: :meth:`call` goes from node to node."""
        return contextlib.nullcontext()

    def call(self, *tensors: torch.Tensor) -> Any:
        """Run the model."""
        return self.run(*tensors)

    def run_node(self, n: torch.fx.Node) -> Any:
        """See the base class."""
        self._node = n
        return super().run_node(n)

    def __call__(self) -> Call:
        meta = {} if self._node is None else self._node.meta
        stack = [entry for entry in (meta.get("nn_module_stack") or {}).values() if entry[0]]
        source = source_in(meta.get("stack_trace") or "")
        if not stack:
            return Call(source=source)
        path, kind = stack[-1]
        return Call(path, (kind if isinstance(kind, str) else kind.__name__).rpartition(".")[2], source)
