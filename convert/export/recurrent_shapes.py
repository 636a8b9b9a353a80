"""What a whole LSTM, GRU or RNN gives, for a capture that only wants shapes.

torch.export keeps ``aten.lstm.input`` as one operator, which ONNX has too, but finds its outputs' shapes by running it
step by step on fake tensors: half a minute for twelve steps, and no number of steps that is dynamic. The shapes follow
from the arguments.

Private to torch, as in :mod:`convert.export.shortcuts`: a version that has moved it is simply not sped up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch._C import DispatchKey
from torch._subclasses.fake_tensor import FakeTensor

_aten = torch.ops.aten


@contextlib.contextmanager
def recurrent_shapes() -> Iterator[None]:
    """While this holds, a fake recurrent layer is one operator and not its steps."""
    one_state = (_aten.gru.input, _aten.rnn_tanh.input, _aten.rnn_relu.input)
    outputs: dict[Any, Callable[..., Any]] = {_aten.lstm.input: _lstm, **dict.fromkeys(one_state, _one_state)}
    with contextlib.ExitStack() as patches:
        for operator, shapes in outputs.items():
            for key in (DispatchKey.CompositeImplicitAutograd, DispatchKey.Autograd):
                _replace(patches, operator, key, shapes)
        yield


def _replace(patches: contextlib.ExitStack, operator: Any, key: DispatchKey, shapes: Callable[..., Any]) -> None:
    steps = getattr(operator, "py_kernels", {}).get(key)
    if steps is None or not hasattr(operator, "_dispatch_cache"):
        return

    def kernel(*args: Any, **kwargs: Any) -> Any:
        return shapes(*args) if isinstance(args[0], FakeTensor) and not kwargs else steps(*args, **kwargs)

    operator._dispatch_cache.clear()
    patches.enter_context(mock.patch.dict(operator.py_kernels, {key: kernel}))
    patches.callback(operator._dispatch_cache.clear)


def _lstm(frames: Tensor, states: Sequence[Tensor], *options: Any) -> tuple[Tensor, Tensor, Tensor]:
    hidden, cell = states
    return _outputs(frames, hidden, *options), torch.empty_like(hidden), torch.empty_like(cell)


def _one_state(frames: Tensor, hidden: Tensor, *options: Any) -> tuple[Tensor, Tensor]:
    return _outputs(frames, hidden, *options), torch.empty_like(hidden)


def _outputs(
    frames: Tensor,
    hidden: Tensor,
    _weights: Sequence[Tensor],
    _has_biases: bool,
    _layers: int,
    _dropout: float,
    _train: bool,
    bidirectional: bool,
    _batch_first: bool,
) -> Tensor:
    """Both leading axes stay where they are, batch first or not."""
    width = hidden.shape[-1] * (2 if bidirectional else 1)
    return frames.new_empty((*frames.shape[:2], width))
