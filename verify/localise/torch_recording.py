"""Running a PyTorch model on a few samples: every tensor that it computes, written down with the code that does."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import torch

from verify.errors import InputError
from verify.localise.graph import Graph
from verify.localise.recording import Recording, TensorStore
from verify.localise.steps import Values
from verify.localise.torch_code import CodeOfModules, CodeOfNodes
from verify.localise.torch_recorder import OpRecorder, unfused
from verify.runners.flatten import named_outputs
from verify.runners.torch_runner import arguments


def record_module(
    module: torch.nn.Module, fed: Mapping[str, Values], outputs: tuple[str, ...], folder: Path
) -> Recording:
    """``fed`` are the inputs in the order of ``forward``, ``(samples, 1, …)``; ``outputs`` what its outputs are called.

    Raises ``InputError`` where two samples do not run the same ops.
    """
    with contextlib.suppress(NotImplementedError):  # an exported program is in eval mode for good
        module.eval()
    count = max(map(len, fed.values()), default=1)
    recording = Recording(Graph((), {}, {}), TensorStore(folder))
    for sample in range(count):
        code = CodeOfNodes(module) if isinstance(module, torch.fx.GraphModule) else CodeOfModules(module)
        recorder = OpRecorder(recording.tensors, sample, count, code)
        graph = _run(code, recorder, {name: values[sample] for name, values in fed.items()}, outputs)
        if sample and _steps(recording.graph) != _steps(graph):
            raise InputError(
                "the PyTorch model runs other ops for one sample than for another: its layers have no common order",
                fix="compare layers between the ONNX and TFLite files",
            )
        recording = Recording(graph, recording.tensors, recorder.dtypes)
    return recording


def _run(
    code: CodeOfModules | CodeOfNodes, recorder: OpRecorder, sample: Mapping[str, Values], outputs: tuple[str, ...]
) -> Graph:
    tensors = arguments(sample, tuple(sample), widen=False)
    inputs = {name: recorder.take(tensor) for name, tensor in zip(sample, tensors, strict=True)}
    with unfused(), code.watched(), recorder:
        returned = code.call(*tensors)
    given = {name: recorder.key(tensor) for name, tensor in named_outputs(returned, outputs).items()}
    kept = {name: key for name, key in given.items() if key is not None}
    return Graph(tuple(recorder.ops), inputs, kept, first_hand=True)


def _steps(graph: Graph) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(op.kind, op.inputs, op.outputs) for op in graph.ops]
