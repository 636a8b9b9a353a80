"""The culprit as a folder that fails by itself: its ops as a model, what goes in, what should come out, a script."""

from __future__ import annotations

from pathlib import Path

from verify.artifact import Format
from verify.atomic import write_text
from verify.batches import write_batch
from verify.localise.aligned import Aligned
from verify.localise.golden_run import GoldenRun

_SCRIPT = '''"""Runs model{suffix} on inputs.npz and compares with expected.npz; exits with 1 while they differ.

Without the packages that it needs it exits with 2.
"""

import sys
from pathlib import Path

try:
    import numpy as np
    import {package}
except ImportError as missing:
    print(f"{{missing}}: run this with the Python that verify runs with", file=sys.stderr)
    sys.exit(2)

here = Path(__file__).parent
inputs, expected = np.load(here / "inputs.npz"), np.load(here / "expected.npz")["output"]
scale, zero_point = {scale!r}, {zero_point!r}
{run}
found = []
for sample in range(len(expected)):
    found.append(run([inputs[f"input_{{at}}"][sample] for at in range(len(inputs.files))]))
actual = np.stack(found)
if scale is not None:
    actual = (actual.astype(np.float32) - zero_point) * np.float32(scale)
print("expected", expected.shape, "given", actual.shape)
if actual.shape != expected.shape:
    sys.exit(1)
error = np.mean(np.square(actual.astype(np.float64) - expected))
signal = np.mean(np.square(expected.astype(np.float64)))
sqnr_db = 10 * np.log10(signal / error) if error > 0 else np.inf
print(f"SQNR {{sqnr_db:.1f}} dB, expected at least {bound_db:g} dB")
sys.exit(0 if sqnr_db >= {bound_db!r} else 1)
'''

_LITERT = """
interpreter = ai_edge_litert.interpreter.Interpreter(str(here / "model.tflite"))


def run(arrays):
    details = interpreter.get_input_details()
    for each, array in zip(details, arrays, strict=True):
        interpreter.resize_tensor_input(each["index"], array.shape)
    interpreter.allocate_tensors()
    for each, array in zip(details, arrays, strict=True):
        interpreter.set_tensor(each["index"], array)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

"""

_ONNXRUNTIME = """
session = onnxruntime.InferenceSession(str(here / "model.onnx"), providers=["CPUExecutionProvider"])


def run(arrays):
    return session.run(None, {each.name: array for each, array in zip(session.get_inputs(), arrays, strict=True)})[0]

"""

_TENSORFLOW = """
graph_def = tf.compat.v1.GraphDef()
graph_def.ParseFromString((here / "model.pb").read_bytes())
with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
session = tf.compat.v1.Session(graph=graph)


def run(arrays):
    return session.run("output:0", {f"input_{at}:0": array for at, array in enumerate(arrays)})

"""
_PACKAGES = {
    Format.ONNX: "onnxruntime",
    Format.TFLITE: "ai_edge_litert.interpreter",
    Format.SAVED_MODEL: "tensorflow as tf",
}
_RUNS = {Format.ONNX: _ONNXRUNTIME, Format.TFLITE: _LITERT, Format.SAVED_MODEL: _TENSORFLOW}


def write_reproducer(run: GoldenRun, culprit: Aligned, kind: Format, bound_db: float, folder: Path) -> None:
    """Write the folder: ``model.*``, ``inputs.npz``, ``expected.npz``, ``reproduce.py`` and ``README.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {tensor for op in culprit.ops for tensor in op.outputs}
    inputs = list(dict.fromkeys(tensor for op in culprit.ops for tensor in op.inputs if tensor not in own))
    values = {tensor: value for tensor in inputs if (value := run.value(tensor)) is not None}
    dtypes = {tensor: value.dtype for tensor, value in values.items()}
    run.steps.extract(culprit.ops, dtypes, culprit.tensor, folder / f"model{run.steps.suffix}")
    write_batch(folder / "inputs.npz", {f"input_{at}": value for at, value in enumerate(values.values())})
    write_batch(folder / "expected.npz", {"output": run.golden(culprit)})
    levels = run.steps.levels(culprit.tensor)
    script = _SCRIPT.format(
        suffix=run.steps.suffix,
        package=_PACKAGES[kind],
        run=_RUNS[kind],
        scale=None if levels is None else levels[0],
        zero_point=0 if levels is None else levels[1],
        bound_db=bound_db,
    )
    write_text(folder / "reproduce.py", script)
    ops = ", ".join(f"{op.kind} (op {op.index})" for op in culprit.ops)
    write_text(
        folder / "README.md",
        f"# {run.graph.name(culprit.tensor)}\n\n`model{run.steps.suffix}` is {ops} of the judged model. `inputs.npz` "
        "holds what the trusted model has there, sample by sample, `expected.npz` what the trusted model makes of it."
        "\n\n    python reproduce.py\n\nexits with 1 while the two differ.\n",
    )
