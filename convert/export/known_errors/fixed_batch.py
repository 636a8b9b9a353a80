"""Finding the batch size that a model's code names, by running it at others.

``x.view(32, -1)`` runs at no other batch, or worse, runs and mixes samples. The line is found by watching the calls
that reshape: at two batch sizes the same call, given tensors of different first sizes, asks for the same first size.
"""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from convert.export.examples import example_inputs
from convert.export.known_errors.explanation import FIXED_BATCH, Explanation
from convert.export.source_line import of_exception, of_frames
from verify.runners.flatten import flatten_outputs
from verify.samples import InputSpec

_SMALLER, _LARGER = 2, 3
_MOST = 512
_RESHAPES = frozenset({torch.Tensor.view, torch.Tensor.reshape, torch.reshape})


@dataclass(frozen=True)
class _Reshape:
    given: int
    asked: int
    line: str | None


def explain_fixed_batch(module: nn.Module, inputs: tuple[InputSpec, ...]) -> Explanation | None:
    """The batch size that the code names, if it names one; the model is run a few times to find out."""
    (small, _), (large, error) = (_watched(module, inputs, batch) for batch in (_SMALLER, _LARGER))
    for first, second in zip(small, large, strict=False):
        if first.line == second.line and first.asked == second.asked > 0 and first.given != second.given:
            return _explanation(first.asked, first.line)
    if error is None:
        return None
    works = next((batch for batch in _named_in(error) if _runs(module, inputs, batch)), None)
    return None if works is None else _explanation(works, of_exception(error))


def _explanation(batch: int, line: str | None) -> Explanation:
    return Explanation(
        FIXED_BATCH,
        f"the code fixes the batch to {batch}, and a converted model takes any batch",
        fix="keep the first axis as it comes: x.flatten(1), or x.view(x.size(0), -1), for x.view(32, -1); make new "
        "tensors of x.size(0) rows, such as an LSTM's first state (left out, it is zeros)",
        line=line,
    )


def _watched(module: nn.Module, inputs: tuple[InputSpec, ...], batch: int) -> tuple[list[_Reshape], Exception | None]:
    """The calls that reshape, until the first error."""
    watch = _Watch()
    try:
        with torch.inference_mode(), watch:
            module(*example_inputs(inputs, batch=batch))
    except Exception as error:  # the model is the user's code: it may raise anything
        return watch.reshapes, error
    return watch.reshapes, None


class _Watch(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.reshapes: list[_Reshape] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _RESHAPES and len(args) > 1 and isinstance(args[0], torch.Tensor) and args[0].dim():
            sizes = args[1] if isinstance(args[1], list | tuple) else args[1:]
            if sizes and isinstance(sizes[0], int):
                line = of_frames(traceback.extract_stack())
                self.reshapes.append(_Reshape(args[0].shape[0], sizes[0], line))
        return func(*args, **(kwargs or {}))


def _named_in(error: Exception) -> tuple[int, ...]:
    """1, the numbers that an error about shapes names, and the batch at which it may have run."""
    numbers = dict.fromkeys([1, *(int(text) for text in re.findall(r"\b\d+\b", str(error))), _SMALLER])
    return tuple(number for number in numbers if 0 < number <= _MOST and number != _LARGER)


def _runs(module: nn.Module, inputs: tuple[InputSpec, ...], batch: int) -> bool:
    """Whether it runs at that batch and gives as many results."""
    with contextlib.suppress(Exception), torch.inference_mode():
        returned = module(*example_inputs(inputs, batch=batch))
        leaves = [leaf for _, leaf in flatten_outputs(returned) if isinstance(leaf, torch.Tensor) and leaf.dim()]
        return any(leaf.shape[0] == batch for leaf in leaves)
    return False
