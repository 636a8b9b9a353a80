"""Architectures that do, when they are built or run, what real ones have done to a batch job by accident."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import time

from torch import Tensor, nn

CHILDREN = 64
GIB = 2**30


class Innocent(nn.Module):
    """One linear layer over (N, 8); the others behave as this one apart from what they are named for."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.layer(features)
        return out


class Segfault(Innocent):
    """Reads address 0 in its forward, as a native op with a bug does."""

    def forward(self, features: Tensor) -> Tensor:
        ctypes.string_at(0)
        return super().forward(features)


class EndlessLoop(Innocent):
    """Never leaves its constructor: a native loop that holds the interpreter's lock, so no Python thread runs."""

    def __init__(self) -> None:
        super().__init__()
        sum(itertools.repeat(0))


class Greedy(Innocent):
    """Allocates 100 GB and writes to every page of it."""

    def __init__(self) -> None:
        super().__init__()
        block = GIB // 16
        self.hoard = [b"\xff" * block for _ in range(100 * GIB // block)]


class ForkBomb(Innocent):
    """Starts 64 children that outlive it if they can: one in three sleeps, one spins, one leaves group and session."""

    def __init__(self) -> None:
        super().__init__()
        started = 0
        while started < CHILDREN:
            try:
                if os.fork() == 0:
                    _linger(started % 3)
            except OSError:  # refused for now: try until it is let
                time.sleep(0.01)
            else:
                started += 1
        signal.pause()


class Chatter(Innocent):
    """Writes to stdout for as long as it lives."""

    def __init__(self) -> None:
        super().__init__()
        line = b"a progress bar without a terminal\n" * 2048
        while True:
            os.write(1, line)


class TooLarge(nn.Module):
    """13 MB of weights, more than a disk of 8 MB takes. (N, 3, 16, 16) → (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4096), nn.ReLU(), nn.Linear(4096, 10))

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.layers(image)
        return out


def _linger(kind: int) -> None:
    """A child's whole life; never returns."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if kind == 1:
        while True:
            pass
    if kind == 2:
        os.setsid()
        if os.fork() > 0:
            os._exit(0)
    while True:
        time.sleep(3600)
