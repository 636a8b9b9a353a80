"""Reports as a run would write them: one that passes, two that fail for different reasons, one that cannot tell."""

from __future__ import annotations

import dataclasses

from verify.model import ModelDescription
from verify.report.types import (
    SCHEMA_VERSION,
    ArtifactReport,
    EdgeKind,
    EdgeReport,
    OutputComparison,
    Refusal,
    Report,
    Rung,
    RungOutcome,
    StageReport,
    Verdict,
)
from verify.samples import ImagePreprocessing, InputSpec
from verify.signature import Quantization, Signature, TensorSpec

NHWC = (0, 2, 3, 1)
TORCH = Signature(
    (TensorSpec("image", "float32", ("N", 3, 224, 224)),), (TensorSpec("logits", "float32", ("N", 1000)),)
)
TENSORFLOW = Signature(
    (TensorSpec("image", "float32", ("N", 224, 224, 3), NHWC),), (TensorSpec("logits", "float32", ("N", 1000)),)
)
INT8 = Signature(
    (TensorSpec("image", "int8", ("N", 224, 224, 3), NHWC, Quantization(0.018658, -14)),),
    (TensorSpec("logits", "int8", ("N", 1000), None, Quantization(0.16372, -38)),),
)
PASSING_HEADLINE = (
    "Yes: all six files are right. int8 is a quarter of float32’s size at 29.5 dB and picks the same class as PyTorch "
    "on 98.4 % of 64 samples."
)
FAILING_HEADLINE = "No: two files are wrong. int8 is below its budget, and float16 gives NaN where PyTorch does not."
INCONCLUSIVE_HEADLINE = "Cannot tell for int8: two samples are too few to judge it. The float files are right."


def comparison(
    sqnr_db: float | None,
    *,
    floor: float | None = 1.3,
    verdict: Verdict = Verdict.PASS,
    failure: str | None = None,
    explanation: str = "",
    name: str = "logits",
    identical: bool = False,
) -> OutputComparison:
    rms = None if sqnr_db is None else 2.1 * 10 ** (-sqnr_db / 20)
    return OutputComparison(
        name=name,
        verdict=verdict,
        failure=failure,
        explanation=explanation or f"SQNR {sqnr_db} dB, RMS error {floor} times the noise floor of 2.9e-06",
        compared_values=64_000,
        identical=identical,
        sqnr_db=sqnr_db,
        max_abs_error=0.0 if identical else None if rms is None else rms * 4.7,
        rms_error=0.0 if identical else rms,
        tolerance_rms=2.3e-5 if floor is not None else None,
        noise_floor_multiple=0.0 if identical else floor,
    )


def float_edge(expected: str, actual: str, *outputs: OutputComparison, verdict: Verdict = Verdict.PASS) -> EdgeReport:
    budget = "RMS error at most 8 times the noise floor of 2.9e-06"
    return EdgeReport(expected, actual, EdgeKind.FLOAT, verdict, budget, (1, 2, 5), 64, outputs, 1.0)


def quantized_edge(
    expected: str,
    actual: str,
    *outputs: OutputComparison,
    verdict: Verdict = Verdict.PASS,
    least_db: float = 20,
    samples: int = 64,
    top1: float | None = 0.984375,
) -> EdgeReport:
    budget = f"SQNR at least {least_db:g} dB"
    return EdgeReport(expected, actual, EdgeKind.QUANTIZED, verdict, budget, (1, 2, 5), samples, outputs, top1)


def _artifact(
    name: str,
    file: str,
    kind: str,
    size: int,
    signature: Signature,
    *,
    latency_ms: float | None = None,
    ops: tuple[tuple[str, int], ...] = (),
    in_float: tuple[tuple[str, int], ...] = (),
    verdict: Verdict = Verdict.PASS,
) -> ArtifactReport:
    digest = f"{abs(size * 2654435761) % 2**64:016x}" * 4
    return ArtifactReport(name, file, kind, size, digest, signature, latency_ms, ops, in_float, verdict)


def passing() -> Report:
    """ResNet18, everything made and right."""
    ops = (("CONV_2D", 20), ("ADD", 8), ("PAD", 1), ("MAX_POOL_2D", 1), ("MEAN", 1), ("FULLY_CONNECTED", 1))
    onnx_ops = (("Conv", 20), ("Relu", 17), ("Add", 8), ("MaxPool", 1), ("GlobalAveragePool", 1), ("Gemm", 1))
    return Report(
        schema_version=SCHEMA_VERSION,
        verdict=Verdict.PASS,
        headline=PASSING_HEADLINE,
        next_steps=(
            "Ship resnet18_int8.tflite, or resnet18_float32.tflite where size does not matter.",
            "Measure latency on your own device: the figures here are from this machine’s CPU.",
        ),
        command="convert pth2tflite resnet18-5c106cde.pth --calib photos/",
        created="2026-03-14T09:26:53Z",
        input_file="resnet18-5c106cde.pth",
        input_sha256="5c106cde386e87d4033832f2996f5493238eda96ccf559d1d62760c4de0613f8",
        model=ModelDescription(
            architecture="torchvision:resnet18",
            recognised_by="names and shapes of 122 tensors",
            inputs=(InputSpec("image", ("N", 3, 224, 224), preprocessing=ImagePreprocessing(256, 224)),),
            output_names=("logits",),
            parameter_count=11_689_512,
            weight_bytes=46_796_448,
            class_count=1000,
            notes=("224 × 224 is assumed from the published weights; --input image=N,3,H,W overrides it.",),
        ),
        samples="64 photo crops from photos/, none of them used for calibration",
        stages=(
            StageReport("open", "Checkpoint → PyTorch", 1.42, 612_000_000, False, ("recognised in 0.03 s",)),
            StageReport("export", "PyTorch → ONNX", 6.31, 1_180_000_000, False, ("torch’s newer exporter, opset 20",)),
            StageReport(
                "lower", "ONNX → SavedModel", 1.87, 1_020_000_000, False, ("exact lowering; 40 transposes cancelled",)
            ),
            StageReport("float32", "SavedModel → TFLite float32", 2.95, 1_310_000_000, False),
            StageReport("float16", "float32 → float16", 0.21, 402_000_000, True),
            StageReport("dynamic_int8", "float32 → dynamic int8", 0.34, 431_000_000, False),
            StageReport("int8", "float32 → int8", 3.12, 760_000_000, False, ("48 samples calibrated the ranges",)),
            StageReport("parity", "Comparing all edges", 9.4, 1_450_000_000, False),
        ),
        artifacts=(
            _artifact("onnx", "resnet18.onnx", "onnx", 46_822_113, TORCH, ops=onnx_ops),
            _artifact("saved_model", "resnet18_saved_model", "saved_model", 47_120_998, TENSORFLOW),
            _artifact("float32", "resnet18_float32.tflite", "tflite", 46_764_412, TENSORFLOW, latency_ms=31.2, ops=ops),
            _artifact(
                "float16",
                "resnet18_float16.tflite",
                "tflite",
                23_391_104,
                TENSORFLOW,
                latency_ms=31.9,
                ops=(("DEQUANTIZE", 42), *ops),
            ),
            _artifact(
                "dynamic_int8",
                "resnet18_dynamic_int8.tflite",
                "tflite",
                11_780_224,
                TENSORFLOW,
                latency_ms=24.8,
                ops=ops,
                in_float=ops,
            ),
            _artifact(
                "int8",
                "resnet18_int8.tflite",
                "tflite",
                11_799_552,
                INT8,
                latency_ms=12.4,
                ops=(*ops, ("QUANTIZE", 2)),
                in_float=(("MEAN", 1),),
            ),
        ),
        edges=(
            float_edge("pytorch", "onnx", comparison(118.4, floor=0.8)),
            float_edge("onnx", "saved_model", comparison(116.2, floor=1.1)),
            float_edge(
                "saved_model",
                "float32",
                comparison(None, floor=0.0, identical=True, explanation="every one of 64,000 values is bit-identical"),
            ),
            quantized_edge("float32", "float16", comparison(71.3, floor=None), least_db=50, top1=1.0),
            quantized_edge("float32", "dynamic_int8", comparison(37.8, floor=None), top1=1.0),
            quantized_edge("float32", "int8", comparison(29.6, floor=None)),
            float_edge("pytorch", "saved_model", comparison(113.7, floor=1.4)),
            float_edge("pytorch", "float32", comparison(113.7, floor=1.4)),
            quantized_edge("pytorch", "float16", comparison(71.2, floor=None), least_db=50, top1=1.0),
            quantized_edge("pytorch", "dynamic_int8", comparison(37.8, floor=None), top1=1.0),
            quantized_edge("pytorch", "int8", comparison(29.5, floor=None)),
        ),
        refusals=(
            Refusal(
                "int8",
                "MEAN",
                "the quantizer’s policy wants a static shape and this file’s batch is dynamic",
                "fix the batch with --input",
            ),
        ),
        total_seconds=25.7,
        peak_memory_bytes=1_450_000_000,
        versions=(
            ("pth2tflite", "0.1.0"),
            ("torch", "2.13.0+cpu"),
            ("torchvision", "0.28.0"),
            ("onnx", "1.19.1"),
            ("onnxruntime", "1.23.0"),
            ("tensorflow", "2.19.0"),
            ("ai-edge-litert", "2.1.0"),
            ("ai-edge-quantizer", "0.4.1"),
            ("numpy", "1.26.4"),
            ("python", "3.11.9"),
        ),
        rungs=(Rung("newer", "exact", RungOutcome.USED),),
    )


def failing() -> Report:
    """EfficientNet-B0: int8 far below budget, NaN on one side in float16, the older exporter used."""
    report = passing()
    below = "SQNR 6.2 dB is under the budget of 20 dB: the error is 49 % of the signal"
    nan = "1,024 of 64,000 values are NaN in float16 and none in PyTorch: 65504 is float16’s largest number"
    edges = tuple(
        dataclasses.replace(
            edge,
            verdict=Verdict.FAIL,
            top1_agreement=0.359375,
            outputs=(comparison(6.2, floor=None, verdict=Verdict.FAIL, failure="over budget", explanation=below),),
        )
        if edge.actual == "int8"
        else dataclasses.replace(
            edge,
            verdict=Verdict.FAIL,
            top1_agreement=None,
            outputs=(comparison(None, floor=None, verdict=Verdict.FAIL, failure="one-sided NaN", explanation=nan),),
        )
        if edge.actual == "float16"
        else edge
        for edge in report.edges
    )
    artifacts = tuple(
        dataclasses.replace(
            made,
            file=made.file.replace("resnet18", "efficientnet_b0"),
            verdict=Verdict.FAIL if made.name in ("int8", "float16") else Verdict.PASS,
            float_op_counts=(("LOGISTIC", 49), ("MUL", 65)) if made.name == "int8" else made.float_op_counts,
        )
        for made in report.artifacts
    )
    assert report.model is not None
    return dataclasses.replace(
        report,
        verdict=Verdict.FAIL,
        headline=FAILING_HEADLINE,
        next_steps=(
            "Ship efficientnet_b0_float32.tflite or efficientnet_b0_dynamic_int8.tflite: both are right.",
            "For int8, calibrate with at least 100 photographs like those the model will see.",
            "For float16, look for the activation that overflows.",
        ),
        command="convert pth2tflite efficientnet_b0_rwightman-7f5810bc.pth --calib photos/ --int8-min-sqnr-db 20",
        input_file="efficientnet_b0_rwightman-7f5810bc.pth",
        model=dataclasses.replace(
            report.model, architecture="torchvision:efficientnet_b0", recognised_by="names and shapes of 358 tensors"
        ),
        edges=edges,
        artifacts=artifacts,
        refusals=(
            Refusal(
                "export",
                "torch’s newer exporter",
                "torch.export stopped at model.py:88 `if x.sum() > 0`",
                "use torch.where; the older exporter recorded one side",
            ),
            Refusal(
                "lower",
                "exact lowering",
                "GridSample from model.py:91 is not known to it; onnx2tf was used and parity approved it",
            ),
            Refusal(
                "int8",
                "LOGISTIC",
                "ai-edge-quantizer 0.4.1 has no int8 kernel for it here",
                "train with ReLU6 or Hardswish for int8",
                49,
            ),
            Refusal("samples", "photos/IMG_2041.jpg", "truncated: 1,024 of 88,221 bytes could be decoded"),
        ),
        rungs=(
            Rung("newer", "exact", RungOutcome.FAILED, "torch.export stopped at model.py:88 `if x.sum() > 0`"),
            Rung("older", "exact", RungOutcome.PARITY, "SavedModel, output logits: over tolerance, 5.4 dB"),
            Rung("older", "onnx2tf", RungOutcome.USED),
        ),
    )


def inconclusive() -> Report:
    """Two calibration photographs: nothing left to judge int8 with."""
    report = passing()
    few = "2 samples are too few to tell 22.0 dB from the budget of 20 dB; 16 would do"
    edges = tuple(
        dataclasses.replace(
            edge,
            verdict=Verdict.INCONCLUSIVE,
            sample_count=2,
            top1_agreement=None,
            outputs=(
                comparison(22.0, floor=None, verdict=Verdict.INCONCLUSIVE, failure="too few samples", explanation=few),
            ),
        )
        if edge.actual == "int8"
        else edge
        for edge in report.edges
    )
    artifacts = tuple(
        dataclasses.replace(made, verdict=Verdict.INCONCLUSIVE) if made.name == "int8" else made
        for made in report.artifacts
    )
    return dataclasses.replace(
        report,
        verdict=Verdict.INCONCLUSIVE,
        headline=INCONCLUSIVE_HEADLINE,
        next_steps=("Give at least 18 photographs with --calib: some calibrate, the others judge.",),
        edges=edges,
        artifacts=artifacts,
        samples="2 photo crops from photos/, none of them used for calibration",
    )


HOSTILE = "<script>document.title='pwned'</script>\x1b]0;pwned\x07\u202e\"'onload=alert(1) [red]x[/red] |@here`"
"""A name from a hostile model: markup, quotes, terminal escapes, a right-to-left override, rich and Markdown syntax."""


def hostile() -> Report:
    """Every string that a model, a folder or an error can bring in is :data:`HOSTILE`."""

    def poisoned(value: object) -> object:
        if isinstance(value, Verdict | EdgeKind | RungOutcome):
            return value
        if isinstance(value, str):
            return HOSTILE if value not in ("pytorch", "onnx", "float32", "int8", "tflite", "logits") else value
        if isinstance(value, tuple):
            return tuple(poisoned(item) for item in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: poisoned(getattr(value, field.name)) for field in dataclasses.fields(value)}
            return dataclasses.replace(value, **fields)
        return value

    result = poisoned(failing())
    assert isinstance(result, Report)
    return dataclasses.replace(result, schema_version=SCHEMA_VERSION)


def minimal() -> Report:
    """A run that stopped at its first stage."""
    return dataclasses.replace(
        passing(),
        verdict=Verdict.FAIL,
        headline="No: nothing was made. The export failed.",
        next_steps=(),
        model=None,
        stages=(),
        artifacts=(),
        edges=(),
        refusals=(),
        rungs=(),
        peak_memory_bytes=None,
        versions=(),
        samples="",
    )


SAMPLES = {"pass": passing, "fail": failing, "inconclusive": inconclusive, "hostile": hostile, "minimal": minimal}
