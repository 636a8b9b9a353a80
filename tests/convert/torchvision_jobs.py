"""For a torch worker: an architecture as an ONNX file, compared with PyTorch. Imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.random_weights import write_random_checkpoint
from convert.stages.export import ExportOnnx
from verify.artifact import Artifact, Format
from verify.signature import Signature

BATCHES = (1, 2, 5)


@dataclass(frozen=True)
class Exported:
    """An ONNX file, how far it is from PyTorch at batch 1, 2 and 5 (the worst output), and what it gives."""

    path: Path
    worst_db: float
    outputs: tuple[str, ...]


def export(arch: str, inputs: tuple[str, ...], folder: Path, part: str = "") -> Exported:
    """``arch`` with weights drawn by a seed, exported through the stage and run in onnxruntime."""
    import torch

    from verify.checkpoint import open_model
    from verify.checkpoint.torchvision_shim import make_torchvision_importable

    torch.set_num_threads(1)
    make_torchvision_importable()
    stage = ExportOnnx(arch=arch, inputs=inputs, part=part)
    if arch.startswith("torchvision:"):
        checkpoint = write_random_checkpoint(stage, 0, folder / "net.pth")
    else:
        checkpoint = _own(stage, folder / "net.pth")
    out = folder / "net.onnx"
    result = stage.call(Artifact(checkpoint, Format.CHECKPOINT, Signature((), ()), ""), out)
    names = tuple(spec.name for spec in result.artifact.signature.outputs)
    module = open_model(stage.source(checkpoint)).module
    return Exported(out, min(_compare(module, out, names, batch) for batch in BATCHES), names)


def _own(stage: ExportOnnx, path: Path) -> Path:
    import torch

    from verify.checkpoint.architectures import parse_arch, user_constructor

    torch.manual_seed(0)
    torch.save(user_constructor(parse_arch(stage.arch or ""), {})().state_dict(), path)
    return path


def _compare(module, path: Path, names: tuple[str, ...], batch: int) -> float:
    import onnxruntime
    import torch

    from verify.runners.flatten import named_outputs

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(batch)
    feeds = {
        each.name: random.standard_normal([batch, *each.shape[1:]]).astype(np.float32) for each in session.get_inputs()
    }
    with torch.inference_mode():
        expected = named_outputs(module(*map(torch.from_numpy, feeds.values())), names)
    return min(
        _sqnr_db(expected[name].numpy(), actual) for name, actual in zip(names, session.run(names, feeds), strict=True)
    )


def _sqnr_db(expected: np.ndarray, actual: np.ndarray) -> float:
    assert expected.shape == actual.shape
    noise = float(np.sum((expected.astype(np.float64) - actual) ** 2))
    signal = float(np.sum(expected.astype(np.float64) ** 2))
    return 300.0 if noise == 0 else 10 * float(np.log10(signal / noise))
