"""Converts the networks that people ship and writes what came of each to docs/networks.md and .json.

    python benchmarks/networks.py [NET …] [--lowering onnx2tf] [--classes 10] [--draw 1]

Weights are random, batch-norm statistics re-estimated on photographs; int8 is calibrated on 48 photo crops and judged
on others. "By hand" is ai-edge-quantizer's own recipe and calibration on the same float file with the same crops.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

NETWORKS = (
    "alexnet",
    "vgg16",
    "resnet18",
    "resnet50",
    "inception_v3",
    "googlenet",
    "densenet121",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "squeezenet1_1",
    "shufflenet_v2_x1_0",
    "mnasnet0_5",
    "efficientnet_b0",
    "regnet_y_400mf",
)
CALIBRATION_CROPS, JUDGING_CROPS = 48, 32
CALIBRATION_SEED, JUDGING_SEED = 1, 2
BY_HAND = ROOT / "tests" / "quantize" / "by_hand.py"

INTRODUCTION = f"""# Networks

Made by `make table`. Random weights with batch norm re-estimated on photographs, 224 × 224 (Inception 299 × 299).
SQNR in dB against PyTorch over {JUDGING_CROPS} photo crops at batch 1, 2 and 5; int8 calibrated on {CALIBRATION_CROPS}
other crops. *int8 to float32* and *by hand* are against the float32 file: ours, and ai-edge-quantizer's own recipe and
calibration on that file with the same crops. *floor ×* is the worst error in multiples of the noise floor (float32
against float64 PyTorch). Time and memory are the whole command's.

"""


@dataclass(frozen=True)
class NetworkResult:
    """One row of the table; SQNR in dB against PyTorch, worst output."""

    name: str
    recognised: str
    verdict: str
    onnx_db: float
    saved_model_db: float
    float32_db: float
    worst_floor_multiple: float
    int8_db: float
    int8_to_float32_db: float
    int8_by_hand_db: float
    int8_top1: float
    int8_loads: bool
    transposes: int
    op_count: int
    float32_ms: float
    int8_ms: float
    weights_mb: float
    seconds: float
    peak_gb: float


def convert_network(
    name: str, folder: Path, *, lowering: str = "auto", classes: int = 10, legacy: bool = False, draw: int = 0
) -> NetworkResult:
    """Make a checkpoint of the network, run the whole command on it, and read its report; ``draw`` picks the crops."""
    from zoo import make_checkpoint, photo_crops

    from verify.report.json import read_json
    from verify.worker import Worker

    with Worker("torch", log_path=folder / "make.log") as worker:
        checkpoint = worker.run(make_checkpoint, name=name, folder=folder, classes=classes, legacy_keys=legacy).value
    size = 299 if name == "inception_v3" else 224
    calibration, judging = folder / "calibration.npz", folder / "judging.npz"
    np.savez(calibration, image=photo_crops(CALIBRATION_CROPS, size, CALIBRATION_SEED + 2 * draw))
    np.savez(judging, image=photo_crops(JUDGING_CROPS, size, JUDGING_SEED + 2 * draw))
    out = folder / "out"
    command = [sys.executable, "-m", "convert", "pth2tflite", str(checkpoint), "--calib", str(calibration)]
    command += ["--samples", str(judging), "--output", str(out), "--lowering", lowering, "--quiet"]
    status = subprocess.run(command, check=False, capture_output=True, text=True)
    if status.returncode not in (0, 1):
        raise RuntimeError(f"{name}: exit {status.returncode}\n{status.stderr[-2000:]}")
    report = read_json(out / "report.json")
    to = {edge.actual: edge for edge in report.edges if edge.expected == "pytorch"}
    files = {file.name: file for file in report.artifacts}
    float32 = out / f"{name}_float32.tflite"
    by_hand = sqnr_db(float32, int8_by_hand(float32, calibration, folder), judging)
    ours = sqnr_db(float32, out / f"{name}_int8.tflite", judging)
    return NetworkResult(
        name=name + (" (old keys)" if legacy else ""),
        recognised=report.model.architecture if report.model else "",
        verdict=report.verdict.value,
        onnx_db=_sqnr(to["onnx"]),
        saved_model_db=_sqnr(to["saved_model"]),
        float32_db=_sqnr(to["float32"]),
        worst_floor_multiple=max(
            output.noise_floor_multiple or 0.0
            for name in ("onnx", "saved_model", "float32")
            for output in to[name].outputs
        ),
        int8_db=_sqnr(to["int8"]),
        int8_to_float32_db=ours,
        int8_by_hand_db=by_hand,
        int8_top1=to["int8"].top1_agreement or 0.0,
        int8_loads=set(to["int8"].batch_sizes) >= {1, 2, 5},
        transposes=dict(files["float32"].op_counts).get("TRANSPOSE", 0),
        op_count=sum(count for _, count in files["float32"].op_counts),
        float32_ms=files["float32"].latency_ms or 0.0,
        int8_ms=files["int8"].latency_ms or 0.0,
        weights_mb=(report.model.weight_bytes if report.model else 0) / 1e6,
        seconds=report.total_seconds,
        peak_gb=(report.peak_memory_bytes or 0) / 1e9,
    )


def int8_by_hand(float32: Path, calibration: Path, folder: Path) -> Path:
    """The library's own int8 of a float file, made in a process of its own."""
    by_hand = folder / "by_hand"
    by_hand.mkdir()
    channels_last = folder / "calibration_nhwc.npz"
    with np.load(calibration) as crops:
        np.savez(channels_last, image=crops["image"].transpose(0, 2, 3, 1))
    quantize = [sys.executable, str(BY_HAND), str(by_hand), str(CALIBRATION_CROPS), f"{float32}:{channels_last}"]
    subprocess.run(quantize, check=True, capture_output=True)
    return by_hand / float32.name


def sqnr_db(float32: Path, quantized: Path, judging: Path) -> float:
    """:func:`sqnr_of_files` in a process of its own."""
    measure = [sys.executable, __file__, "--sqnr", str(float32), str(quantized), str(judging)]
    return float(subprocess.run(measure, check=True, capture_output=True, text=True).stdout)


def sqnr_of_files(float32: Path, quantized: Path, judging: Path) -> float:
    """SQNR in dB of a quantized file's outputs against the float file's, one crop at a time."""
    from ai_edge_litert.interpreter import Interpreter

    from verify.metrics import error_sums

    with np.load(judging) as crops:
        images = crops["image"].transpose(0, 2, 3, 1)
    outputs = []
    for path in (float32, quantized):
        runner = Interpreter(str(path), num_threads=2).get_signature_runner("serving_default")
        ((_, taken),) = runner.get_input_details().items()
        ((_, given),) = runner.get_output_details().items()
        outputs.append(np.stack([_infer(runner, taken, given, image[None]) for image in images]))
    return error_sums(outputs[0], outputs[1]).sqnr_db


def _infer(runner: object, taken: dict, given: dict, image: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    if taken["dtype"] == np.int8:
        scale, zero_point = taken["quantization"]
        image = np.clip(np.rint(image / scale) + zero_point, -128, 127).astype(np.int8)
    ((_, output),) = runner(image=image).items()  # type: ignore[operator]
    if given["dtype"] == np.int8:
        scale, zero_point = given["quantization"]
        output = (output.astype(np.float32) - zero_point) * scale
    return output


def _sqnr(edge) -> float:  # type: ignore[no-untyped-def]
    """Worst output of an edge; infinite where all are identical."""
    values = [np.inf if output.identical else output.sqnr_db for output in edge.outputs]
    return float(min(value if value is not None else -np.inf for value in values))


def markdown(results: list[NetworkResult]) -> str:
    """The table."""
    header = (
        "network|recognised as|ONNX|SavedModel|float32|floor ×|int8|int8 to float32|by hand|int8 top-1|TRANSPOSE|ops|"
    )
    header += "float32 ms|int8 ms|s|GB"
    lines = [f"|{header}|", "|" + "|".join(["---", "---", *["--:"] * 14]) + "|"]
    for r in results:
        decibels = (r.onnx_db, r.saved_model_db, r.float32_db, r.worst_floor_multiple, r.int8_db)
        decibels += (r.int8_to_float32_db, r.int8_by_hand_db)
        cells = [r.name, r.recognised, *(f"{value:.1f}" for value in decibels), f"{r.int8_top1:.0%}"]
        cells += [str(r.transposes), str(r.op_count), f"{r.float32_ms:.1f}", f"{r.int8_ms:.1f}"]
        cells += [f"{r.seconds:.0f}", f"{r.peak_gb:.1f}"]
        lines.append(f"|{'|'.join(cells)}|")
    return INTRODUCTION + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--lowering", default="auto")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--draw", type=int, default=0, help="another number draws other crops")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "networks")
    parser.add_argument("--sqnr", nargs=3, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sqnr:
        print(sqnr_of_files(*arguments.sqnr))
        return
    results = []
    for name in arguments.networks:
        for legacy in (False, True) if name == "densenet121" else (False,):
            with tempfile.TemporaryDirectory() as folder:
                options = {"lowering": arguments.lowering, "classes": arguments.classes, "draw": arguments.draw}
                results.append(convert_network(name, Path(folder), legacy=legacy, **options))
            print(results[-1], flush=True)
    write_table(results, arguments.out)


def write_table(results: list[NetworkResult], out: Path) -> None:
    """Write ``out.json`` and ``out.md``; networks that were not run keep the row they had."""
    rows = {}
    if out.with_suffix(".json").is_file():
        rows = {row["name"]: NetworkResult(**row) for row in json.loads(out.with_suffix(".json").read_text())}
    rows |= {result.name: result for result in results}
    ordered = sorted(rows.values(), key=lambda row: NETWORKS.index(row.name.split()[0]))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".md").write_text(markdown(ordered))
    out.with_suffix(".json").write_text(json.dumps([dataclasses.asdict(row) for row in ordered], indent=1) + "\n")


if __name__ == "__main__":
    main()
