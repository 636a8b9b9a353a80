"""Training any of the nets: one loop, three losses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from spatial import Detector
from torch import Tensor, nn

BATCH = 32
PEAK_RATE = 4e-3
SHIFT = 2
"""Pixels that a digit is moved at most, each time anew."""

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def train(net: nn.Module, images: np.ndarray, targets: np.ndarray, loss_of: Loss, epochs: int) -> nn.Module:
    """The net trained, in eval mode; the same on every run of one machine: one thread, seeded."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    inputs, wanted = torch.from_numpy(images), torch.from_numpy(targets)
    steps = epochs * -(-len(inputs) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps)
    net.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs)).split(BATCH):
            loss = loss_of(net, inputs[chosen], wanted[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            schedule.step()
    return net.eval()


def classification_loss(net: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy on digits that are moved a little."""
    side = images.shape[-1]
    left, top = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    moved = nn.functional.pad(images, (SHIFT,) * 4)[..., top : top + side, left : left + side]
    return nn.functional.cross_entropy(net(moved), labels)


def segmentation_loss(net: nn.Module, images: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy of each pixel; background, which is most of them, weighs less."""
    weights = torch.tensor([0.3] + [1.0] * 10)
    return nn.functional.cross_entropy(net(images), masks, weights)


def detection_loss(net: nn.Module, images: Tensor, boxes: Tensor) -> Tensor:
    """Focal loss (1708.02002) of every score, and the distance of each digit's corners in the cell of its centre."""
    found, scores = net(images)
    there = boxes[..., 4] >= 0
    image = torch.arange(len(boxes))[:, None].expand_as(there)[there]
    corners, digit = boxes[there][:, :4], boxes[there][:, 4].long()
    column, row = ((corners[:, :2] + corners[:, 2:]) / 2 / Detector.STRIDE).long().unbind(-1)
    cell = row * Detector.GRID + column
    wanted = torch.zeros_like(scores)
    wanted[image, cell, digit] = 1.0
    likely = scores.clamp(1e-6, 1 - 1e-6)
    right = torch.where(wanted > 0, likely, 1 - likely)
    focal = -(torch.where(wanted > 0, 0.75, 0.25) * (1 - right) ** 2 * right.log()).sum() / len(digit)
    return focal + nn.functional.smooth_l1_loss(found[image, cell], corners) * 0.5
