"""Build a net without memory for its weights: they are about to be replaced by the checkpoint's.

``torch.device("meta")`` would do it, but puts everything on meta, and constructors that compute (RegNet's widths) or
keep tensors (anchors, position tables) break. Here only what ``torch.empty`` makes without a device, the layers' own
parameters, goes to meta; the rest is real.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _ParametersOnMeta(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options: dict[str, Any] = kwargs or {}
        if func is torch.empty and options.get("device") is None:
            options = {**options, "device": "meta"}
        return func(*args, **options)


def on_meta(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """What ``make`` builds, parameters on meta."""
    with warnings.catch_warnings(), _ParametersOnMeta():
        warnings.simplefilter("ignore")
        return make()


def built_lean(make: Callable[[], torch.nn.Module], weight_names: Mapping[str, object]) -> torch.nn.Module:
    """What ``make`` builds, with little memory: nothing is left on meta that ``weight_names`` won't replace."""
    try:
        module = on_meta(make)
    except (NotImplementedError, RuntimeError):
        return make()
    if any(name not in weight_names for name in _names_on_meta(module)):
        return make()
    return module


def _names_on_meta(module: torch.nn.Module) -> Iterator[str]:
    """State names on meta, and ``?`` for every tensor on meta that no state_dict can fill."""
    persistent = module.state_dict(keep_vars=True)
    yield from (name for name, tensor in persistent.items() if isinstance(tensor, torch.Tensor) and tensor.is_meta)
    known = {id(tensor) for tensor in persistent.values()}
    for part in module.modules():
        plain = [value for value in vars(part).values() if isinstance(value, (torch.Tensor, list, tuple))]
        for value in [*plain, *part._buffers.values(), *part._parameters.values()]:
            for tensor in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(tensor, torch.Tensor) and tensor.is_meta and id(tensor) not in known:
                    yield "?"
