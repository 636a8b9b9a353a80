"""An input on its way from noise to something that a net takes for real. Imports torch."""

from __future__ import annotations

from typing import Any

import torch

from verify.samples import InputSpec

PIXEL_RATE = 0.02
LEVEL_RATE = 0.1
"""Of level and contrast, which may be far off: noise is around 0, and digits are mostly black."""


class MovedInput:
    """Samples of one input that an optimiser moves: their values, and level and contrast of each channel.

    ``noise`` is (samples, channels, …). Whole numbers stay as they are.
    """

    def __init__(self, spec: InputSpec, noise: torch.Tensor) -> None:
        each = (*noise.shape[:2], *(1 for _ in noise.shape[2:]))
        self._values, self._limits = noise.clone(), _limits(spec)
        self._level, self._log_contrast = torch.zeros(each), torch.zeros(each)

    def parameters(self) -> list[dict[str, Any]]:
        """What to move, and how fast, as torch's optimisers take it."""
        if not self._values.is_floating_point():
            return []
        return [
            {"params": [self._values.requires_grad_()], "lr": PIXEL_RATE},
            {"params": [self._level.requires_grad_(), self._log_contrast.requires_grad_()], "lr": LEVEL_RATE},
        ]

    def value(self) -> torch.Tensor:
        """The samples as they are now, within what the input may hold."""
        if not self._values.is_floating_point():
            return self._values
        value = self._values * self._log_contrast.exp() + self._level
        return value if self._limits is None else torch.clamp(value, *self._limits)


def _limits(spec: InputSpec) -> tuple[torch.Tensor, torch.Tensor] | None:
    """What the input may hold, where that is declared: its range, or what pixels come to once they are normalised."""
    if spec.low is not None and spec.high is not None:
        return torch.tensor(spec.low), torch.tensor(spec.high)
    if spec.preprocessing is None:
        return None
    mean, std = (torch.tensor(each)[:, None, None] for each in (spec.preprocessing.mean, spec.preprocessing.std))
    return (0 - mean) / std, (1 - mean) / std
