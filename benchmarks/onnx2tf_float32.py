"""What onnx2tf makes of an ONNX file, as a float32 TFLite file, without the minutes its own saving takes.

    python benchmarks/onnx2tf_float32.py NET.onnx OUT.tflite

onnx2tf's default conversion, onnxsim included; only Keras' JSON of every weight is left out, which changes no op of the
file. For the latency of nets whose whole command is not timed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def convert(onnx: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        model, _ = convert_to_keras(onnx, Path(name))
        compile_model(model, out)


def convert_to_keras(onnx: Path, folder: Path) -> tuple[Any, float]:
    """onnx2tf's Keras model, and the seconds that its own call took, imports not counted."""
    import onnx2tf
    import tensorflow as tf  # noqa: F401 - imported before the clock runs

    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it starts onnxsim by name
    copy = folder / "onnx2tf_input.onnx"  # onnx2tf writes over its input
    shutil.copy(onnx, copy)
    started = time.perf_counter()
    try:
        model = onnx2tf.convert(
            input_onnx_file_path=str(copy), output_folder_path=str(folder / "unused"), disable_model_save=True
        )
    finally:
        copy.unlink(missing_ok=True)
    return model, time.perf_counter() - started


def compile_model(model: Any, out: Path) -> None:
    """A Keras model as TFLite; raises as ``convert.lowering.tflite_compiler`` does."""
    import tensorflow as tf

    from convert.lowering.onnx2tf_variables import constants_to_variables
    from convert.lowering.tflite_compiler import compile_saved_model

    module = tf.Module()
    module.kept = constants_to_variables(model)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name) for tensor in model.inputs]

    def serve(*tensors: object) -> dict[str, object]:
        outputs = tf.nest.flatten(model(list(tensors), training=False))
        return {f"output_{index}": output for index, output in enumerate(outputs)}

    function = tf.function(serve, autograph=False, input_signature=specs).get_concrete_function()
    module.captured = list(function.variables)  # layers inside onnx2tf's own lambdas belong to nothing else
    with tempfile.TemporaryDirectory() as name:
        saved_model = Path(name) / "saved_model"
        tf.saved_model.save(module, str(saved_model), signatures={"serving_default": function})
        compile_saved_model(saved_model, out)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
