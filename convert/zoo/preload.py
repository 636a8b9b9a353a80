"""What the fork servers of a slot have ready, so that no job has to import it: all that a usual run ever imports.

Nothing here computes: a thread that a library starts for that would be in no process that is forked later. A module
that is missing from a list costs the jobs that need it its import, and nothing else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

from convert.stages.base import Host
from verify.jsonio import json_schema

JOB_PRELOAD = ("convert.zoo.preload:prepare_job",)
PRELOAD: dict[Host, tuple[str, ...]] = {
    Host.TORCH: ("torch", "convert.zoo.preload:prepare_torch"),
    Host.TENSORFLOW: ("tensorflow", "convert.zoo.preload:prepare_tensorflow"),
    Host.RUNTIME: ("convert.zoo.preload:prepare_runtime",),
}
"""As :class:`verify.fork_server.ForkServer` takes them."""

_PYDANTIC = ("pydantic.dataclasses", "pydantic.plugin._loader", "pydantic.type_adapter", "encodings.cp437")
"""``encodings.cp437`` is for names in zip archives."""
_JOB = (
    "convert.zoo.conversion",
    "convert.run",
    "verify.checkpoint",
    "verify.report.html",
    "email.parser",
    "rich._emoji_codes",
)
_TORCH = (
    "PIL.ImageDraw",
    "PIL.ImageEnhance",
    "PIL.ImageOps",
    "convert.export.ladder",
    "convert.stages.export",
    "onnxscript.function_libs.torch_lib.ops",
    "sympy.combinatorics.perm_groups",
    "torch._dynamo",
    "torch._export.passes.replace_autocast_with_hop_pass",
    "torch._export.passes.replace_set_grad_with_hop_pass",
    "torch._inductor.compiler_bisector",
    "torch._inductor.fx_passes.dedupe_symint_uses",
    "torch._inductor.sizevars",
    "torch._subclasses.schema_check_mode",
    "torch.export._trace",
    "torch.fx.experimental.validator",
    "torch.onnx._internal.exporter._compat",
    "torch.onnx._internal.exporter._torchlib.ops",
    "torch.onnx._internal.torchscript_exporter.utils",
    "torch.utils.model_zoo",
    "verify.checkpoint.opening",
    "verify.checkpoint.torchvision_catalogue",
    "verify.runners.torch_runner",
    "verify.spread",
)
_TENSORFLOW = (
    "ai_edge_litert.schema_py_generated",
    "convert.lowering.road",
    "convert.lowering.saved_model",
    "convert.lowering.tflite_compiler",
    "convert.stages.lower",
    "convert.stages.to_tflite",
    "sympy",
    "tensorflow.lite.python.lite",
    "verify.runners.feed",
    "verify.runners.saved_model_runner",
    "verify.runners.tflite_file",
)
_RUNTIME = (
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "ai_edge_litert.interpreter",
    "ai_edge_quantizer.quantizer",
    "convert.feeding",
    "convert.stages.quantize",
    "onnx",
    "onnxruntime",
    "quantize.jobs",
    "verify.runners.feed",
    "verify.runners.inspect",
    "verify.runners.onnx_runner",
    "verify.runners.output_grids",
    "verify.runners.tflite_runner",
    "verify.samples.image_folder",
)


def prepare_job() -> None:
    """For a job's own process."""
    from convert.zoo import keys
    from convert.zoo.child import run_body

    _import(_PYDANTIC, _JOB)
    _know(run_body)
    keys.prepare()


def prepare_torch() -> None:
    """For workers that open checkpoints, export and run them."""
    from convert.stages.base import run_stage
    from verify.checkpoint import describe
    from verify.checkpoint.index import available_libraries, load_index
    from verify.checkpoint.torchvision_shim import import_torchvision
    from verify.runners.torch_runner import run_reference
    from verify.spread import measure_torch_spread

    import_torchvision()
    _import(_PYDANTIC, _TORCH)
    for library in available_libraries():
        load_index(library)
    _know(describe, run_stage, run_reference, measure_torch_spread)


def prepare_tensorflow() -> None:
    """For workers that lower, compile and run SavedModels."""
    from convert.lowering.registry import known_ops
    from convert.stages.base import run_stage
    from verify.runners import run_artifact

    _import(_PYDANTIC, _TENSORFLOW, _modules_of("convert.rewrites"))
    known_ops()
    _know(run_stage, run_artifact)


def prepare_runtime() -> None:
    """For workers that prepare samples, quantize, and run what is neither torch's nor TensorFlow's."""
    from convert.feeding import prepare_samples
    from convert.stages.base import run_stage
    from verify.runners import run_artifact
    from verify.runners.inspect import summarise_ops
    from verify.runners.output_grids import output_grids

    _import(_PYDANTIC, _RUNTIME)
    _know(prepare_samples, run_stage, run_artifact, summarise_ops, output_grids)


def _import(*lists: Iterable[str]) -> None:
    for modules in lists:
        for module in modules:
            importlib.import_module(module)


def _modules_of(package: str) -> list[str]:
    import pkgutil

    return [f"{package}.{module.name}" for module in pkgutil.iter_modules(importlib.import_module(package).__path__)]


def _know(*jobs: Callable[..., Any]) -> None:
    """Build what turns the jobs' arguments and answers from and into JSON."""
    for job in jobs:
        for kind in get_type_hints(job).values():
            json_schema(kind)
