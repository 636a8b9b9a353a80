"""The job of the functions' tests: it runs in a worker, so that pytest itself imports no TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def run_both(folder: Path) -> None:
    """Lower ``net.onnx``, run it on ``x.npy`` in both, write ``tensorflow.npy`` and ``litert.npy``."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    from convert.lowering.road import read_model
    from convert.lowering.saved_model import lower, save
    from convert.lowering.tflite_compiler import compile_saved_model

    x = np.load(folder / "x.npy")
    lowered = lower(read_model(folder / "net.onnx"))
    np.save(folder / "tensorflow.npy", lowered.function(tf.constant(x))["y"].numpy())
    save(lowered, folder / "saved_model")
    compile_saved_model(folder / "saved_model", folder / "net.tflite")
    runner = Interpreter(str(folder / "net.tflite")).get_signature_runner("serving_default")
    np.save(folder / "litert.npy", runner(x=x)["y"])
