"""Two classifiers that read a digit as a sequence: of patches, and of rows.

Both: (N, 1, 32, 32) in 0..1 → (N, 10) logits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class VitTiny(nn.Module):
    """Dosovitskiy et al., 2010.11929: sixteen patches and a class token through three blocks."""

    def __init__(self, width: int = 48, depth: int = 3, heads: int = 3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 8, stride=8)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, 17, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        patches = self.patches(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(patches.shape[0], -1, -1), patches], dim=1) + self.places
        logits: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return logits


class Block(nn.Module):
    """Attention, then a perceptron with GELU, each normalised before and added to what it was given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attention(self.attention_norm(x))
        mixed: Tensor = x + self.mlp(self.mlp_norm(x))
        return mixed

    def _attention(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        parts = self.qkv(x).reshape(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*parts.unbind(0))
        attended: Tensor = self.projection(mixed.transpose(1, 2).reshape(batch, count, width))
        return attended


class RowGru(nn.Module):
    """A GRU (1406.1078) that reads two rows of pixels a step, and a linear head on what it remembers at the end."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.gru = nn.GRU(64, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a batch of images."""
        remembered, _ = self.gru(image.reshape(-1, 16, 64))
        logits: Tensor = self.head(remembered[:, -1])
        return logits
