"""What a model says of float32 in its own code, understood as float64: ``x.float()``, ``dtype=torch.float32``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class FloatMeansDouble(TorchFunctionMode):
    """While it holds, code that asks for float32 gets float64.

    For a model that is run in float64 to learn what float32 rounds away: RAFT makes its grid of coordinates with
    ``.float()``, which would meet float64 weights.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        options = {name: _wide(value) for name, value in (kwargs or {}).items()}
        return func(*map(_wide, args), **options)


def _wide(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value
