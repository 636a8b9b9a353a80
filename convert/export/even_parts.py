"""``chunk`` along an axis of unknown size, into parts that come out even whatever the size.

torch.export asks how many parts there are, ``(2*N + N - 1) // N`` for both halves of two batches in one (RAFT), and
cannot tell that this is 2. Nor does it take two inputs' batches for one size before something makes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.symbolic_shapes import statically_known_true
from torch.overrides import TorchFunctionMode

from verify.samples import InputSpec


@contextlib.contextmanager
def even_parts(module: nn.Module, inputs: Sequence[InputSpec]) -> Iterator[None]:
    """While this holds, axes of one name are of one size in a capture, and an even ``chunk`` is one slice a part."""

    def unify(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        sizes: dict[str, Any] = {}
        for spec, tensor in zip(inputs, arguments, strict=False):
            for name, size in zip(spec.shape, tensor.shape, strict=True):
                if isinstance(name, str) and not isinstance(size, int):
                    bool(sizes.setdefault(name, size) == size)  # a guard, which the named dims imply

    hook = module.register_forward_pre_hook(unify)
    try:
        with _EvenParts():
            yield
    finally:
        hook.remove()


class _EvenParts(TorchFunctionMode):
    def __torch_function__(
        self, function: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        parts = _sliced(*args, **kwargs) if function in (torch.chunk, Tensor.chunk) else None
        return function(*args, **kwargs) if parts is None else parts


def _sliced(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...] | None:  # noqa: A002 - torch's name
    size = input.shape[dim]
    if isinstance(size, int) or not statically_known_true(size % chunks == 0):
        return None
    each = size // chunks
    return tuple(input.narrow(dim, part * each, each) for part in range(chunks))
