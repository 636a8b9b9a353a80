"""``nn.RNN`` as ONNX's RNN: torch's exporter knows LSTM and GRU whole, and takes this one apart step by step.

Written as torchlib writes them (``onnxscript/function_libs/torch_lib/ops/core.py``, ``aten_gru``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset18 as op
from onnxscript.function_libs.torch_lib.tensor_typing import TFloat

_aten = torch.ops.aten


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """For ``torch.onnx.export(custom_translation_table=...)``."""
    return {_aten.rnn_tanh.input: _rnn_tanh, _aten.rnn_relu.input: _rnn_relu}


def _rnn_tanh(  # noqa: PLR0917 - aten's own arguments
    frames: TFloat,
    hx: TFloat,
    params: Sequence[TFloat],
    has_biases: bool,
    num_layers: int,
    dropout: float,  # noqa: ARG001 - nothing in inference
    train: bool,  # noqa: ARG001
    bidirectional: bool,
    batch_first: bool,
) -> tuple[TFloat, TFloat]:
    return _layers(frames, hx, params, (has_biases, num_layers, bidirectional, batch_first), "Tanh")


def _rnn_relu(  # noqa: PLR0917 - aten's own arguments
    frames: TFloat,
    hx: TFloat,
    params: Sequence[TFloat],
    has_biases: bool,
    num_layers: int,
    dropout: float,  # noqa: ARG001 - nothing in inference
    train: bool,  # noqa: ARG001
    bidirectional: bool,
    batch_first: bool,
) -> tuple[TFloat, TFloat]:
    return _layers(frames, hx, params, (has_biases, num_layers, bidirectional, batch_first), "Relu")


def _layers(
    frames: Any, hx: Any, params: Sequence[Any], options: tuple[bool, int, bool, bool], activation: str
) -> tuple[Any, Any]:
    has_biases, num_layers, bidirectional, batch_first = options
    directions, each = 2 if bidirectional else 1, 4 if has_biases else 2
    frames = op.Transpose(frames, perm=[1, 0, 2]) if batch_first else frames
    finals = []
    for first in range(0, num_layers * directions, directions):
        weights = [params[(first + index) * each :][:each] for index in range(directions)]
        steps, final = op.RNN(
            frames,
            _stacked([w[0] for w in weights]),
            _stacked([w[1] for w in weights]),
            _stacked([op.Concat(w[2], w[3], axis=0) for w in weights]) if has_biases else None,
            None,
            op.Slice(hx, [first], [first + directions], [0]),
            activations=[activation] * directions,
            direction="bidirectional" if bidirectional else "forward",
            hidden_size=hx.shape[2],
        )
        frames = op.Reshape(op.Transpose(steps, perm=[0, 2, 1, 3]), [0, 0, -1])
        finals.append(final)
    outputs = op.Transpose(frames, perm=[1, 0, 2]) if batch_first else frames
    return outputs, finals[0] if len(finals) == 1 else op.Concat(*finals, axis=0)


def _stacked(parts: Sequence[Any]) -> Any:
    """One entry a direction along a new first axis."""
    rows = [op.Unsqueeze(part, [0]) for part in parts]
    return rows[0] if len(rows) == 1 else op.Concat(*rows, axis=0)
