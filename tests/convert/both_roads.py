"""One ONNX node in TensorFlow and in LiteRT. The job runs in a worker, so that pytest itself imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from verify.worker import Worker

OPSET = 23
Arrays = dict[str, np.ndarray]


def run_node(
    worker: Worker, folder: Path, op: str, inputs: Mapping[str, np.ndarray], shape: Sequence[int | str], **options: Any
) -> list[np.ndarray]:
    """The node's first output ``y``, from TensorFlow and from LiteRT; ``options`` are its attributes.

    ``dtype`` among them is the output's, by default the first input's; inputs in ``constants`` become initializers.
    """
    constants = options.pop("constants", ())
    first = next(iter(inputs.values()))
    out_type = helper.np_dtype_to_tensor_dtype(np.dtype(options.pop("dtype", first.dtype)))
    graph = helper.make_graph(
        [helper.make_node(op, list(inputs), ["y"], **options)],
        "graph",
        [_declared(name, array) for name, array in inputs.items() if name not in constants],
        [helper.make_tensor_value_info("y", out_type, shape)],
        [onnx.numpy_helper.from_array(inputs[name], name) for name in constants],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=11), folder / "net.onnx"
    )
    np.savez(folder / "inputs.npz", **{name: array for name, array in inputs.items() if name not in constants})
    worker.run(run_both, folder=folder)
    return [np.load(folder / f"{road}.npy") for road in ("tensorflow", "litert")]


def _declared(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def run_both(folder: Path) -> None:
    """Lower ``net.onnx``, run it on ``inputs.npz`` in both, write ``tensorflow.npy`` and ``litert.npy``."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    from convert.lowering.road import read_model
    from convert.lowering.saved_model import lower, save
    from convert.lowering.tflite_compiler import compile_saved_model

    lowered = lower(read_model(folder / "net.onnx"))
    given = np.load(folder / "inputs.npz")
    fed = {spec.name: spec.from_torch(given[spec.name]) for spec in lowered.signature.inputs}
    out = lowered.signature.outputs[0]
    by_tensorflow = lowered.function(*(tf.constant(array) for array in fed.values()))
    np.save(folder / "tensorflow.npy", out.to_torch(by_tensorflow["y"].numpy()))
    save(lowered, folder / "saved_model")
    compile_saved_model(folder / "saved_model", folder / "net.tflite")
    runner = Interpreter(str(folder / "net.tflite"), num_threads=1).get_signature_runner("serving_default")
    np.save(folder / "litert.npy", out.to_torch(runner(**fed)["y"]))
