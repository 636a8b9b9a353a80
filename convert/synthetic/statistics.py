"""What batch norms remember of their inputs in training, and how far other inputs are from it. Imports torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

_LEAST_VARIANCE = 1e-8
"""Of a channel that was dead in training."""


def batch_norms(net: torch.nn.Module) -> list[torch.nn.Module]:
    """The modules with running statistics, frozen ones too; none where all are as constructed, 0 and 1."""
    norms: list[Any] = [each for each in net.modules() if _remembers(each)]
    learnt = any(bool(each.running_mean.any()) or bool((each.running_var != 1).any()) for each in norms)
    return norms if learnt else []


def _remembers(module: torch.nn.Module) -> bool:
    return all(isinstance(getattr(module, name, None), torch.Tensor) for name in ("running_mean", "running_var"))


@dataclass
class StatisticsDistance:
    """How far what enters the batch norms is from what they remember.

    A layer's is the sum over its channels of (m - M)² + (s - S)², over that of S²: m and s are mean and deviation of
    the batch, M and S those that are remembered. 2001.00281, equation 3, each layer in units of its own.
    """

    norms: list[torch.nn.Module]
    _of_thread: threading.local = field(default_factory=threading.local)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Every forward of the net counts meanwhile, for the thread that it runs in."""
        handles = [norm.register_forward_pre_hook(self._add) for norm in self.norms]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def take(self) -> torch.Tensor:
        """The mean over all layers since the last call: a scalar, through which gradients flow; 0 if there was none."""
        layers = self._layers
        total = torch.stack(layers).mean() if layers else torch.zeros(())
        layers.clear()
        return total

    @property
    def elements(self) -> int:
        """How many numbers entered batch norms in this thread."""
        count: int = getattr(self._of_thread, "elements", 0)
        return count

    @property
    def _layers(self) -> list[torch.Tensor]:
        if not hasattr(self._of_thread, "layers"):
            self._of_thread.layers = []
        layers: list[torch.Tensor] = self._of_thread.layers
        return layers

    def _add(self, norm: Any, arguments: tuple[torch.Tensor, ...]) -> None:
        (entering, *_) = arguments
        self._of_thread.elements = self.elements + entering.numel()
        others = [axis for axis in range(entering.dim()) if axis != 1]
        mean = entering.mean(others)
        variance = (entering.square().mean(others) - mean.square()).clamp(min=0) + _LEAST_VARIANCE
        apart = (mean - norm.running_mean).square() + (variance.sqrt() - norm.running_var.sqrt()).square()
        self._layers.append(apart.sum() / (norm.running_var.sum() + _LEAST_VARIANCE))
