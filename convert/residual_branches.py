"""Where a net adds the output of a batch norm to something else: the end of a residual branch. Imports torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

_SUMS = frozenset({"add", "add_", "__add__", "__iadd__", "__radd__"})


def last_norms(net: torch.nn.Module, inputs: Iterable[Tensor]) -> tuple[_BatchNorm, ...]:
    """The batch norms whose output is one side of a sum, and not of two of them; found by running the net once."""
    sums = _Sums()
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    with contextlib.ExitStack() as hooks, torch.no_grad():
        for norm in norms:
            hooks.callback(norm.register_forward_hook(sums.remember).remove)
        hooks.enter_context(sums)
        net(*inputs)
    return tuple(norm for norm in norms if norm in sums.found)


class _Sums(TorchFunctionMode):
    """Sees every sum as it is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[torch.nn.Module] = set()
        self._outputs: dict[int, tuple[_BatchNorm, Tensor, int]] = {}
        """By identity, with the tensor's version then: what is written into it since makes it another value."""

    def remember(self, norm: torch.nn.Module, _given: object, output: Tensor) -> None:
        """Forward hook: where the tensor comes from."""
        assert isinstance(norm, _BatchNorm)
        self._outputs[id(output)] = norm, output, output._version

    def __torch_function__(
        self, function: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if getattr(function, "__name__", "") in _SUMS and len(args) > 1:
            norms = [norm for norm in map(self._norm_of, args[:2]) if norm is not None]
            if len(norms) == 1 and _same_shape(*args[:2]):
                self.found.add(norms[0])
        return function(*args, **(kwargs or {}))

    def _norm_of(self, operand: object) -> _BatchNorm | None:
        norm, output, version = self._outputs.get(id(operand), (None, None, None))
        return norm if output is not None and output._version == version else None


def _same_shape(one: object, other: object) -> bool:
    return isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape
