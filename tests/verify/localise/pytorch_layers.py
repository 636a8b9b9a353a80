"""A net with what hides layers from module hooks, exported to ONNX; and that ONNX with a fault in one node."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from verify.artifact import Artifact, Format
from verify.batches import write_batch
from verify.localise.compare import compare_layers
from verify.localise.recorded import write_recording
from verify.localise.recording import Recording, samples_of
from verify.localise.torch_recording import record_module
from verify.opening import open_model
from verify.report.verification import Localisation
from verify.signature import Signature, TensorSpec
from verify.worker import Worker


class Net(nn.Module):
    """A folded norm, a shared convolution, a sum, functions, a tensor written through a view, attention."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.shared = nn.Conv2d(8, 8, 3, padding=1)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        stem = self.stem(image)
        once = functional.leaky_relu(self.shared(stem), 0.1)
        twice = self.shared(once) + stem
        tokens = functional.max_pool2d(twice, 2).flatten(2).transpose(1, 2)
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        logits: Tensor = self.head(tokens.mean(1))
        return logits


class WritingNet(nn.Module):
    """Writes into a part of a tensor of its own making, and into one that it was given."""

    def forward(self, image: Tensor) -> Tensor:
        padded = torch.zeros(len(image), 5, 6, 6)
        padded[:, 1:4] = image * 2
        padded[:, 0].add_(1)
        return padded.sigmoid()


def line_of(text: str) -> str:
    """``file:line`` of the only line of the nets above with this text."""
    lines = inspect.getsource(inspect.getmodule(Net)).splitlines()
    (found,) = (at for at, line in enumerate(lines, 1) if text in line and "line_of" not in line)
    return f"{__file__}:{found}"


def net() -> Net:
    """Seeded, its statistics not those of a new norm."""
    torch.manual_seed(0)
    made = Net()
    for _ in range(3):
        made(torch.randn(4, 3, 8, 8) + 0.3)
    return made.eval()


class Exported:
    """A folder with a net's recording and its ONNX file, which carries neither modules nor lines."""

    def __init__(self, folder: Path, module: nn.Module, runs: nn.Module | None = None) -> None:
        self.folder = folder
        image = np.random.default_rng(0).normal(size=(3, 3, 8, 8)).astype(np.float32)
        write_batch(folder / "batches" / "batch_000.npz", {"image": image})
        self.artifact = Artifact(
            folder / "net.pth",
            Format.CHECKPOINT,
            Signature((TensorSpec("image", "float32", ("N", 3, 8, 8)),), (TensorSpec("logits", "float32", ("N", 5)),)),
            "",
        )
        fed = samples_of(self.artifact, folder / "batches", {}, 3)
        self.recording: Recording = record_module(runs or module, fed, ("logits",), folder / "recorded")
        write_recording(self.recording, folder / "recorded")
        torch.onnx.export(
            module,
            (torch.from_numpy(image[:1]),),
            str(folder / "net.onnx"),
            dynamo=False,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
        )
        self.model = onnx.load(str(folder / "net.onnx"))
        for at, node in enumerate(self.model.graph.node):
            node.name = f"node_{at}"

    def nodes(self, kind: str) -> list[int]:
        """Places of the nodes of a kind."""
        return [at for at, node in enumerate(self.model.graph.node) if node.op_type == kind]

    def localised(
        self, worker: Worker, change: Callable[[onnx.ModelProto], None], reproducer: Path | None = None
    ) -> Localisation:
        """The PyTorch net against a copy of the ONNX file that was changed."""
        faulty = onnx.ModelProto()
        faulty.CopyFrom(self.model)
        change(faulty)
        onnx.save(faulty, str(self.folder / "faulty.onnx"))
        return worker.run(
            compare_layers,
            expected=self.artifact,
            actual=open_model(self.folder / "faulty.onnx", ()).artifact,
            batches=self.folder / "batches",
            recorded=self.folder / "recorded",
            reproducer=reproducer,
        ).value


def with_weight(node: int, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[onnx.ModelProto], None]:
    """A node whose weight is another, whoever else reads it."""

    def apply(model: onnx.ModelProto) -> None:
        read = model.graph.node[node]
        place, tensor = next(
            (at, each) for at, name in enumerate(read.input) for each in model.graph.initializer if each.name == name
        )
        own = numpy_helper.from_array(np.ascontiguousarray(change(numpy_helper.to_array(tensor).copy())), "own_weight")
        model.graph.initializer.append(own)
        read.input[place] = "own_weight"

    return apply


def with_attribute(node: int, name: str, value: object) -> Callable[[onnx.ModelProto], None]:
    """A node with another attribute."""

    def apply(model: onnx.ModelProto) -> None:
        attributes = model.graph.node[node].attribute
        kept = [each for each in attributes if each.name != name]
        del attributes[:]
        attributes.extend([*kept, onnx.helper.make_attribute(name, value)])

    return apply


def write_command_models(folder: Path) -> tuple[Path, Path]:
    """``net.pth``, a state_dict of :class:`Net`, and ``wrong.onnx``, whose second convolution has another weight."""
    module = net()
    torch.save(module.state_dict(), folder / "net.pth")
    exported = Exported(folder, module)
    with_weight(exported.nodes("Conv")[1], lambda weight: -weight)(exported.model)
    onnx.save(exported.model, str(folder / "wrong.onnx"))
    return folder / "net.pth", folder / "wrong.onnx"
