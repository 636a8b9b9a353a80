"""Which PyTorch model is meant (:class:`ModelSource`), and what it turned out to be (:class:`ModelDescription`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verify.samples import InputSpec


@dataclass(frozen=True)
class ModelSource:
    """A checkpoint and everything the user said about how to open it. Hashable; crosses process boundaries.

    ``arch`` is ``torchvision:NAME``, ``timm:NAME``, ``FILE.py:CLASS`` or ``PACKAGE.MODULE:CLASS``; ``None`` recognises
    it from the tensors. ``arch_args`` are keyword arguments as ``(name, literal)`` pairs. ``inputs`` override what the
    architecture would take, each ``NAME=DIMS[:DTYPE[:LOW..HIGH]]`` (``image=N,1,28,28``, ``ids=N,16:int64:0..29999``).
    ``dynamic`` names axes of inputs, each ``NAME=DIMS``, as ``image=N,3,H,W``.
    """

    path: Path
    arch: str | None = None
    arch_args: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    trust_pickle: bool = False
    partial: bool = False
    prefer_ema: bool = False
    part: str = ""
    """Which part of a detector: ``network``, ``box_head`` …; empty for the network, and for every other model."""
    dynamic: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelDescription:
    """What a checkpoint turned out to be."""

    architecture: str
    """``torchvision:resnet18``, ``net.py:Net``, ``TorchScript archive`` …"""
    recognised_by: str
    """How the architecture was found, as a phrase: ``names and shapes of 122 tensors``, ``--arch`` …"""
    inputs: tuple[InputSpec, ...]
    output_names: tuple[str, ...]
    """Chosen names, one an output; empty when they are only known after export."""
    parameter_count: int
    weight_bytes: int
    """Bytes of parameters and buffers as float32."""
    class_count: int | None = None
    """Number of classes when the model is a classifier whose first output is ``(N, classes)``."""
    notes: tuple[str, ...] = ()
    """What the user should know: widened float16 weights, skipped keys, defaults assumed."""
