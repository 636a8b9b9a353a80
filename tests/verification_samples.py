"""Verifications as a run would write them: passing, failing, undecided, quantized, hostile and empty."""

from __future__ import annotations

import dataclasses
from enum import Enum

import numpy as np
from report_samples import HOSTILE, comparison, float_edge, quantized_edge

from verify.batches import write_batch
from verify.report.findings import Flip, NonFinite, QuantizedErrors, Top1
from verify.report.pictures import EdgePictures
from verify.report.types import EdgeReport, OutputComparison, Refusal, TaskComparison, Verdict
from verify.report.verification import (
    VERIFICATION_SCHEMA_VERSION,
    Baseline,
    Culprit,
    Drift,
    InputCoverage,
    Layer,
    Localisation,
    Standing,
    Verification,
    VerifiedModel,
)


def pictured(folder, output: OutputComparison, error_rms: float, *, bias: float = 0.0, nan: bool = False):
    """The output with the picture of an error of this size on three batches."""
    random = np.random.default_rng(7)
    pictures = EdgePictures(folder / "inputs")
    for index, size in enumerate((1, 2, 5)):
        name = f"batch_{index:03d}.npz"
        rows, columns = np.mgrid[0:48, 0:64]
        image = np.stack([np.sin(rows / 9 + index), np.cos(columns / 7), np.sin((rows + columns) / 11)])
        images = np.stack([image + sample / 9 for sample in range(size)]).astype(np.float32)
        write_batch(folder / "inputs" / name, {"image": images, "state": random.normal(size=(size, 20))})
        expected = random.normal(0, 2, (size, 400))
        actual = expected + random.normal(bias, error_rms, expected.shape) if error_rms else expected.copy()
        if nan:
            actual[0, 3] = np.nan
        pictures.note({output.name: expected}, {output.name: actual}, name)
    return pictures.added_to((output,))[0]


def layers(culprit: int | None) -> tuple[Layer, ...]:
    made = []
    for index in range(24):
        bad = culprit is not None and index >= culprit
        made.append(
            Layer(
                expected_tensor=f"/layer{index // 6}/conv{index % 6}/Conv_output_0",
                actual_tensor=f"model/layer{index // 6}/conv{index % 6};relu",
                op="CONV_2D" if index % 6 else "MAX_POOL_2D",
                op_index=index,
                sqnr_db=None if index == 0 else (14.2 - index * 0.2 if bad else 131 - index * 0.9),
                local_sqnr_db=13.8 if index == culprit else 134.0 + index % 3,
                aligned_by="structure" if index % 4 else "fingerprint",
                onnx_node=f"/layer{index // 6}/conv{index % 6}/Conv",
                module=f"layer{index // 6}.{index % 6}.conv",
                source=f"/repo/net/model.py:{40 + index}",
            )
        )
    return tuple(made)


def passing(folder) -> Verification:
    """Three float models that agree."""
    edges = (
        float_edge("net.pth", "net.onnx", pictured(folder, comparison(118.4, floor=0.8), 2e-6)),
        float_edge("net.onnx", "net_float32.tflite", comparison(None, floor=0.0, identical=True)),
        float_edge("net.pth", "net_float32.tflite", pictured(folder, comparison(113.7, floor=1.4), 3e-6)),
    )
    return Verification(
        schema_version=VERIFICATION_SCHEMA_VERSION,
        verdict=Verdict.PASS,
        headline="Yes: net.onnx and net_float32.tflite agree with net.pth within 1.4 noise floors on 32 samples.",
        next_steps=("Record this with --lock parity.lock.json, so that a later change is noticed.",),
        command="verify net.pth net.onnx net_float32.tflite --data photos/",
        created="2026-03-14T09:26:53Z",
        models=(
            VerifiedModel("net.pth", "build/net.pth", "pytorch", "5c" * 32, 46_796_448, 41.7),
            VerifiedModel("net.onnx", "build/net.onnx", "onnx", "1a" * 32, 46_822_113, 22.9),
            VerifiedModel("net_float32.tflite", "build/net_float32.tflite", "tflite", "e3" * 32, 46_764_412, 19.4),
        ),
        samples="32 photo crops from photos/",
        inputs=(
            InputCoverage(
                "image", "float32", ((1, 3, 224, 224), (2, 3, 224, 224), (5, 3, 224, 224)), -2.1, 2.6, "photos/"
            ),
            InputCoverage(
                "state", "int64", ((1, 20), (5, 20)), 0, 1, "random, seed 0", ("values above 1 were not tried",)
            ),
        ),
        edges=edges,
        notes=("image is serving_default_image:0 in net_float32.tflite",),
        total_seconds=14.2,
        versions=(("pth2tflite", "0.1.0"), ("onnxruntime", "1.23.0"), ("ai-edge-litert", "2.1.0")),
    )


def failing(folder) -> Verification:
    """The TFLite file parts at its eleventh layer, and gives a NaN."""
    report = passing(folder)
    over = "Over tolerance: RMS error 1.90e-01 is 6.6e+04 × the noise floor, largest error 8.10e-01 (at most 8 ×)."
    nan = "One-sided NaN: batch_000.npz: 0 NaN expected, 1 given, not in the same places."
    wrong = comparison(14.2, floor=6.6e4, verdict=Verdict.FAIL, failure="over tolerance", explanation=over)
    strange = comparison(None, floor=None, verdict=Verdict.FAIL, failure="one-sided NaN", explanation=nan, name="boxes")
    strange = dataclasses.replace(strange, actual_nonfinite=NonFinite(1, 0, 0, "batch_000.npz[0, 3]"))
    outputs = (pictured(folder, wrong, 0.19, bias=0.1), pictured(folder, strange, 1e-6, nan=True))
    edges = (
        report.edges[0],
        float_edge("net.onnx", "net_float32.tflite", *outputs, verdict=Verdict.FAIL),
        float_edge("net.pth", "net_float32.tflite", *outputs, verdict=Verdict.FAIL),
    )
    path = layers(10)
    why = "Fed the right input, its own output has 13.8 dB: the filter is transposed (height and width swapped)."
    where = Localisation(
        "net.onnx",
        "net_float32.tflite",
        path,
        Culprit(path[10], why, "verification/culprit_010"),
        (Refusal("align", "model/relu_3", "fused into CONV_2D #4", ""),),
    )
    return dataclasses.replace(
        report,
        verdict=Verdict.FAIL,
        headline="No: net_float32.tflite parts from net.onnx at CONV_2D #10, layer1.4.conv (model.py:50).",
        next_steps=("Run the reproducer in verification/culprit_010.", "Convert again with --lowering exact."),
        edges=edges,
        localisations=(where,),
        refusals=(Refusal("samples", "photos/IMG_2041.jpg", "truncated: 1,024 of 88,221 bytes could be decoded"),),
        baseline=Baseline(
            "parity.lock.json",
            (
                Drift("net.pth", "net.onnx", "logits", Standing.SAME, 2.5e-6, 2.5e-6, 5.4e-6, "As recorded."),
                Drift("net.onnx", "old.tflite", "logits", Standing.VANISHED, 0.1, None, None, "Nothing compared it."),
                Drift("net.onnx", "net_float32.tflite", "logits", Standing.WORSE, 2e-6, 0.19, 5e-6, "Far above it."),
            ),
        ),
    )


def inconclusive(folder) -> Verification:
    """Two samples are too few."""
    report = quantized(folder)
    few = "2 samples are too few to tell 22.0 dB from the budget of 20 dB; 16 would do."
    output = comparison(22.0, floor=None, verdict=Verdict.INCONCLUSIVE, failure="too few samples", explanation=few)
    edge = quantized_edge(
        "net.onnx", "net_int8.tflite", pictured(folder, output, 0.2), verdict=Verdict.INCONCLUSIVE, samples=2, top1=None
    )
    return dataclasses.replace(
        report,
        verdict=Verdict.INCONCLUSIVE,
        headline="Cannot tell: two samples are too few to judge net_int8.tflite.",
        next_steps=("Give at least 16 samples with --data.",),
        edges=(edge,),
        localisations=(),
    )


def quantized(folder) -> Verification:
    """An int8 file against the ONNX it came from, every layer measured."""
    report = passing(folder)
    explanation = "29.6 dB SQNR over 3,200 values, largest error 0.61; the budget is SQNR at least 20 dB."
    steps = QuantizedErrors(0.0913, 0.84, 0.97, 0.002, "84.0 % within one step of 0.0913, 97.0 % within two.")
    output = dataclasses.replace(
        pictured(folder, comparison(29.6, floor=None, explanation=explanation), 0.07), quantized=steps
    )
    flips = (Flip("batch_002.npz[3]", 7, 2, 0.011, near_tie=True),)
    top1 = Top1("logits", 64, 63, 1, 2.4, flips, "63 of 64 samples have the same top-1; 1 of 1 flips is a near tie.")
    task = TaskComparison(
        "top-1", 64, 0.91, 0.89, 0.02, -0.01, 0.05, 0.03, Verdict.PASS, "Top-1 drops by 0.02 (95 % from -0.01 to 0.05)."
    )
    path = tuple(
        dataclasses.replace(layer, sqnr_db=46.0 - index * 0.7, local_sqnr_db=None)
        for index, layer in enumerate(layers(None))
    )
    return dataclasses.replace(
        report,
        headline="Yes: net_int8.tflite is within its budget at 29.6 dB and picks the same class on 98.4 %.",
        models=(
            report.models[1],
            VerifiedModel("net_int8.tflite", "build/net_int8.tflite", "tflite", "77" * 32, 11_799_552, 12.4),
        ),
        edges=(dataclasses.replace(quantized_edge("net.onnx", "net_int8.tflite", output), top1=top1, task=task),),
        localisations=(Localisation("net.onnx", "net_int8.tflite", path, None),),
    )


def minimal(folder) -> Verification:
    """Nothing could be compared."""
    return dataclasses.replace(
        passing(folder),
        verdict=Verdict.FAIL,
        headline="No: nothing was compared.",
        next_steps=(),
        models=(),
        inputs=(),
        edges=(),
        notes=(),
        versions=(),
        samples="",
    )


def hostile(folder) -> Verification:
    """Every string that a model, a folder or an error can bring in is :data:`HOSTILE`."""

    def poisoned(value: object, name: str = "") -> object:
        if isinstance(value, Enum) or name in ("png", "created", "batch"):
            return value
        if isinstance(value, str):
            return HOSTILE
        if isinstance(value, tuple):
            return tuple(poisoned(item) for item in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {it.name: poisoned(getattr(value, it.name), it.name) for it in dataclasses.fields(value)}
            return dataclasses.replace(value, **fields)
        return value

    result = poisoned(failing(folder))
    assert isinstance(result, Verification)
    return dataclasses.replace(result, schema_version=VERIFICATION_SCHEMA_VERSION)


def with_edges(report: Verification, *edges: EdgeReport) -> Verification:
    return dataclasses.replace(report, edges=edges)


SAMPLES = {
    "pass": passing,
    "fail": failing,
    "inconclusive": inconclusive,
    "quantized": quantized,
    "minimal": minimal,
    "hostile": hostile,
}
