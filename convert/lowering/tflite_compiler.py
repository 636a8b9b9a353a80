"""TensorFlow's TFLite compiler, driven directly on a SavedModel folder.

``tf.lite.TFLiteConverter.from_saved_model(...).convert()`` calls the same compiler with the same flags, but first loads
the folder twice in Python, and afterwards unpacks and repacks the finished file as Python objects three times, to merge
equal buffers and to add metadata: for AlexNet, 6.1 s and 1.7 GB against 3.2 s and 1.4 GB.
``tests/convert/test_to_tflite.py`` holds that both ways give the same ops and weights.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from verify.errors import LoweringFailed, ToolError, UnsupportedOp

SIGNATURE = "serving_default"
_FLOAT64 = re.compile(r"[x<]f64>")


def compile_saved_model(saved_model: Path, out: Path) -> None:
    """Write ``out``, a TFLite file of builtin ops only, from a SavedModel's ``serving_default``.

    Raises ``UnsupportedOp`` naming the ops that are no builtins, ``LoweringFailed`` for anything else.
    """
    from tensorflow.lite.python import convert as compiler

    try:
        model: bytes = compiler.convert_saved_model(
            saved_model_dir=str(saved_model),
            saved_model_version=1,
            saved_model_tags={"serve"},
            saved_model_exported_names=[SIGNATURE],
            target_ops={compiler.OpsSet.TFLITE_BUILTINS},
            allow_custom_ops=False,
            enable_tflite_resource_variables=False,
        )
    except compiler.ConverterError as error:
        raise _typed(error) from error
    out.write_bytes(model)


def _typed(error: Any) -> ToolError:
    rejected = sorted({_op_and_place(problem) for problem in error.errors if _needs_delegate(problem)})
    if rejected and _FLOAT64.search(str(error)):
        return UnsupportedOp(
            f"not a TFLite builtin: {', '.join(rejected)} in float64; TFLite computes in float32",
            fix="leave .double() and float64 constants (NumPy's own type) out of the model",
        )
    if rejected:
        return UnsupportedOp(
            f"not a TFLite builtin: {', '.join(rejected)}; expected a SavedModel whose every op is one",
            fix="rewrite that part of the model in simpler ops, or export it at another opset (a GELU at opset 17 "
            "becomes tf.Erf, at opset 20 it is a builtin)",
        )
    first_line = next((line for line in str(error).splitlines() if line.strip()), "no message")
    return LoweringFailed(
        f"TensorFlow's TFLite compiler failed: {first_line[:400]}",
        fix="the log file has the compiler's whole message",
    )


def _needs_delegate(problem: Any) -> bool:
    return problem.error_code in {problem.ERROR_NEEDS_FLEX_OPS, problem.ERROR_NEEDS_CUSTOM_OPS}


def _op_and_place(problem: Any) -> str:
    """``tf.Erf (at gelu_3/Erf)``: the op, and the name that the SavedModel gives it."""
    places = [call.name.partition("@")[0] for call in problem.location.call]
    return f"{problem.operator.name} (at {places[0]})" if places else str(problem.operator.name)
