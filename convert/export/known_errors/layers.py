"""Layers that a module uses but does not own: no ``state_dict`` has them, no ``eval()`` reaches them.

``self.layers = [nn.Linear(8, 8)]`` is the case: PyTorch registers what is an attribute of its own or stands in an
``nn.ModuleList``, and nothing else. A checkpoint then loads without complaint, and those layers stay as random as
the constructor made them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import nn

from convert.export.examples import example_inputs
from convert.export.known_errors.explanation import UNREGISTERED, Explanation
from verify.samples import InputSpec

_SHOWN = 3
_REGISTRIES = frozenset({"_modules", "_parameters", "_buffers"})
_RANDOM_IN_TRAINING = (nn.modules.dropout._DropoutNd, nn.RReLU)


def explain_unregistered(module: nn.Module, inputs: tuple[InputSpec, ...]) -> Explanation | None:
    """Why the module cannot be right with any checkpoint, if ``forward`` uses such layers."""
    if isinstance(module, torch.jit.ScriptModule):
        return None
    used = _used(module, _unregistered(module), inputs)
    if not used:
        return None
    names = ", ".join(used[:_SHOWN]) + (f" and {len(used) - _SHOWN} more" if len(used) > _SHOWN else "")
    attribute = used[0].partition("[")[0].rpartition(".")[2]
    return Explanation(
        UNREGISTERED,
        f"forward uses layers that are not registered with their module ({names}): no checkpoint holds their weights, "
        "which are as random as the constructor made them",
        fix=f"keep them in an nn.ModuleList (or nn.ModuleDict): self.{attribute} = nn.ModuleList([...]); then save the "
        "trained model's state_dict again: the one at hand lacks them",
    )


def _unregistered(module: nn.Module) -> dict[str, nn.Module]:
    """By their place, the layers in plain containers whose weights or training mode PyTorch knows nothing of."""
    registered = {id(each) for each in module.modules()}
    tensors = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
    found: dict[str, nn.Module] = {}
    for name, owner in module.named_modules():
        for attribute, value in vars(owner).items():
            if attribute in _REGISTRIES:
                continue
            place = f"{name}.{attribute}" if name else attribute
            found |= {
                path: layer
                for path, layer in _layers_in(value, place)
                if id(layer) not in registered and _matters(layer, tensors)
            }
    return found


def _layers_in(value: object, place: str) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(value, nn.Module):
        yield place, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from _layers_in(child, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _layers_in(child, f"{place}[{index}]")


def _matters(layer: nn.Module, tensors: set[int]) -> bool:
    """Whether it has weights that no registered layer shares, or stays random after ``eval()``."""
    own = (*layer.parameters(), *layer.buffers())
    random = any(part.training and isinstance(part, _RANDOM_IN_TRAINING) for part in layer.modules())
    return random or any(id(tensor) not in tensors for tensor in own)


def _used(module: nn.Module, layers: dict[str, nn.Module], inputs: tuple[InputSpec, ...]) -> list[str]:
    """Those that ``forward`` calls. A model may well keep others, such as a teacher that only training needs."""
    called: set[str] = set()
    with contextlib.ExitStack() as hooks:
        for place, layer in layers.items():
            handle = layer.register_forward_pre_hook(lambda _layer, _given, place=place: called.add(place))
            hooks.callback(handle.remove)
        if layers:
            with contextlib.suppress(Exception), torch.inference_mode():  # what else is wrong, the export will say
                module(*example_inputs(inputs))
    return [place for place in layers if place in called]
