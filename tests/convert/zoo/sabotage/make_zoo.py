"""A zoo of good small models with saboteurs among them, written to a folder with its manifest."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from nets import settle_batch_norm
from sabotage.broken_tflite import nine_axes
from sabotage.evil_nets import Innocent, TooLarge
from sabotage.good_nets import Convolutional, Dense, Residual
from torch import nn

HERE = Path(__file__).parent
PAYLOAD = "payload_ran"
_KINDS: tuple[type[nn.Module], ...] = (Convolutional, Residual, Dense)


@dataclass(frozen=True)
class Saboteur:
    """One entry of the manifest that goes wrong. ``expected`` is its outcome as the summary labels it."""

    id: str
    expected: str
    arch: str
    options: str = ""
    """More lines of its manifest entry."""


SABOTEURS = (
    Saboteur("segfault", "signal 11", "evil_nets.py:Segfault"),
    Saboteur("abort", "signal 6", "evil_nets.py:Innocent", 'calibration = "evil_samples.py:from_a_broken_model"\n'),
    Saboteur("endless_loop", "timeout", "evil_nets.py:EndlessLoop", 'timeout = "15 s"\n'),
    Saboteur("greedy", "oom", "evil_nets.py:Greedy"),
    Saboteur("fork_bomb", "infrastructure", "evil_nets.py:ForkBomb"),
    Saboteur("chatter", "infrastructure", "evil_nets.py:Chatter"),
    Saboteur("corrupt", "bad input", "evil_nets.py:Innocent"),
    Saboteur("malicious", "bad input", "evil_nets.py:Innocent"),
)


@dataclass(frozen=True)
class SabotageZoo:
    """What was written: ``expected`` has every entry's label by id, and ``payload`` must never come to exist."""

    manifest: Path
    expected: dict[str, str]
    payload: Path


def make_zoo(
    folder: Path, good: int, saboteurs: Sequence[Saboteur] = SABOTEURS, small_disk: Path | None = None
) -> SabotageZoo:
    """Write ``good`` good models and the saboteurs; one more that works on the small disk, where there is one."""
    folder.mkdir(parents=True)
    for name in ("good_nets.py", "evil_nets.py", "evil_samples.py"):
        shutil.copy(HERE / name, folder)
    (folder / "nine_axes.tflite").write_bytes(nine_axes())
    random = np.random.default_rng(0)
    np.savez(folder / "images.npz", image=random.standard_normal((96, 3, 16, 16), np.float32))
    np.savez(folder / "features.npz", features=random.standard_normal((96, 8), np.float32))

    if small_disk is not None:
        saboteurs = (*saboteurs, _full_disk(small_disk))
    for saboteur in saboteurs:
        _save_saboteur(saboteur.id, folder)

    entries = [_good_entry(index, folder) for index in range(good)]
    stride = max(1, good // len(saboteurs))
    for index, saboteur in enumerate(saboteurs):
        entries.insert(index * (stride + 1), _saboteur_entry(saboteur))
    (folder / "zoo.toml").write_text("\n".join([_HEAD, *entries]), encoding="utf-8")
    expected = {f"good_{index:02}": "ok" for index in range(good)} | {each.id: each.expected for each in saboteurs}
    return SabotageZoo(folder / "zoo.toml", expected, folder / PAYLOAD)


def _full_disk(small_disk: Path) -> Saboteur:
    options = f'scratch = "{small_disk}"\ninputs = ["image=N,3,16,16"]\ncalibration = "images.npz"\n'
    return Saboteur("full_disk", "infrastructure", "evil_nets.py:TooLarge", options)


_HEAD = """\
[zoo]
name = "sabotage"

[defaults]
memory = "2 GiB"
timeout = "60 s"
max_log = "4 MiB"
"""


def _good_entry(index: int, folder: Path) -> str:
    kind, width = _KINDS[index % len(_KINDS)], 8 + 4 * (index // len(_KINDS))
    torch.manual_seed(index)
    net = kind(width)
    settle_batch_norm(net, [(torch.randn(32, 3, 16, 16),)])
    torch.save(net.state_dict(), folder / f"good_{index:02}.pth")
    return (
        f'[[model]]\nid = "good_{index:02}"\nsource = "good_{index:02}.pth"\narch = "good_nets.py:{kind.__name__}"\n'
        f'arch_args = {{ width = {width} }}\ninputs = ["image=N,3,16,16"]\ncalibration = "images.npz"\n'
    )


def _saboteur_entry(saboteur: Saboteur) -> str:
    samples = "" if "calibration" in saboteur.options else 'calibration = "features.npz"\n'
    inputs = "" if "inputs" in saboteur.options else 'inputs = ["features=N,8"]\n'
    return (
        f'[[model]]\nid = "{saboteur.id}"\nsource = "{saboteur.id}.pth"\narch = "{saboteur.arch}"\n'
        f"{inputs}{samples}{saboteur.options}"
    )


def _save_saboteur(name: str, folder: Path) -> None:
    path = folder / f"{name}.pth"
    torch.manual_seed(0)
    if name == "malicious":
        torch.save({"layer.weight": torch.zeros(4, 8), "layer.bias": _Payload(folder / PAYLOAD)}, path)
        return
    torch.save((TooLarge() if name == "full_disk" else Innocent()).state_dict(), path)
    if name == "corrupt":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class _Payload:
    """Unpickled, it runs a command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (f"touch '{self.path}'",)
