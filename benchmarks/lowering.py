"""ONNX → SavedModel: the exact lowering against onnx2tf with its saving switched off, side by side in one run.

    python benchmarks/lowering.py [NET | FILE.onnx …] [--turns 3] [--out docs/lowering]

Each side works in a process of its own on the same ONNX file. Seconds are inside that process, after its imports, the
fastest of ``--turns`` turns that alternate. Ours is the whole stage: reading, rewriting, tracing, writing the
SavedModel, hashing it. Theirs is ``onnx2tf.convert(disable_model_save=True)``, which writes nothing: its own saving of
AlexNet takes minutes. CPU seconds are those of the process and its children. Memory is the process's peak resident
set, TensorFlow's own share (0.65 GB) and the pages of mapped files included. Nets that an earlier run measured keep
their rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import pkgutil
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from networks import NETWORKS

from verify.artifact import Artifact, Format
from verify.jsonio import from_jsonable
from verify.signature import Signature
from verify.worker import Worker
from verify.worker_process import peak_memory_bytes

ROOT = Path(__file__).parent.parent
LEAST_SPEEDUP = {"alexnet": 20.0, "vgg16": 20.0}
LEAST_MEDIAN_SPEEDUP = 3.0
MOST_MEMORY_OF_WEIGHTS, MOST_MEMORY_BESIDES = 3.0, 1e9
SIDES = ("ours", "onnx2tf")


@dataclass(frozen=True)
class Side:
    """One side's best turn."""

    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True)
class LoweringBench:
    """One net. ``theirs`` is ``None`` where onnx2tf dies, and ``note`` has its last words."""

    name: str
    weight_bytes: int
    ours: Side
    theirs: Side | None
    note: str = ""

    @property
    def speedup(self) -> float | None:
        """How many times faster ours is."""
        return None if self.theirs is None else self.theirs.seconds / self.ours.seconds

    @property
    def memory_holds(self) -> bool:
        """Whether ours stays within three times the weights and a gigabyte."""
        return self.ours.peak_rss_bytes <= MOST_MEMORY_OF_WEIGHTS * self.weight_bytes + MOST_MEMORY_BESIDES


def bench(net: str, folder: Path, turns: int) -> LoweringBench:
    """Export the net, unless it is an ONNX file already, and measure both sides on it in turn."""
    onnx = Path(net) if net.endswith(".onnx") else _exported(net, folder)
    measured: dict[str, list[Side]] = {side: [] for side in SIDES}
    note = ""
    for _ in range(turns):
        for side in SIDES:
            seen = _in_a_child(side, onnx) if side == "ours" or not note else None
            if isinstance(seen, Side):
                measured[side].append(seen)
            elif seen is not None:
                note = seen
    if not measured["ours"]:
        raise RuntimeError(f"{net}: our own lowering failed: {note}")
    best = {side: min(runs, key=lambda run: run.seconds) for side, runs in measured.items() if runs}
    return LoweringBench(onnx.stem, _weight_bytes(onnx), best["ours"], best.get("onnx2tf"), note)


def _exported(net: str, folder: Path) -> Path:
    sys.path.insert(0, str(ROOT / "tests"))
    from zoo import make_checkpoint

    from convert.stages.base import run_stage
    from convert.stages.export import ExportOnnx

    stage, out = ExportOnnx().to_json(), folder / f"{net}.onnx"
    with Worker("torch", log_path=folder / "export.log") as worker:
        checkpoint = worker.run(make_checkpoint, name=net, folder=folder, classes=1000).value
        artifact = Artifact(checkpoint, Format.CHECKPOINT, Signature((), ()), "")
        worker.run(run_stage, stage=stage, artifact=artifact, out=out)
    return out


def _weight_bytes(onnx: Path) -> int:
    import onnx_ir as ir

    tensors = [value.const_value for value in ir.load(onnx).graph.initializers.values()]
    return sum(tensor.nbytes for tensor in tensors if tensor is not None)


def _in_a_child(side: str, onnx: Path) -> Side | str:
    """What that side took, or its last words."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # onnx2tf starts onnxsim by name
    environment = {**os.environ, "PATH": path, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, __file__, str(onnx), "--child", side]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        return Side(**json.loads(lines[-1]))
    words = [line for line in done.stderr.strip().splitlines() if line.strip()]
    return (words[-1] if words else f"exit status {done.returncode}")[:200]


def _child(side: str, onnx: Path) -> None:
    run = _ours if side == "ours" else _theirs
    with tempfile.TemporaryDirectory() as name:
        measured = run(onnx, Path(name))
    print(json.dumps(dataclasses.asdict(measured)))


def _measured(work: Callable[[], object]) -> Side:
    started, cpu_started = time.perf_counter(), _cpu_seconds()
    work()
    return Side(time.perf_counter() - started, _cpu_seconds() - cpu_started, peak_memory_bytes())


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _ours(onnx: Path, folder: Path) -> Side:
    import tensorflow  # noqa: F401 - imports are not what is measured

    from convert import rewrites
    from convert.lowering import road, saved_model  # noqa: F401
    from convert.lowering.registry import known_ops
    from convert.stages.lower import OnnxToSavedModel

    known_ops()
    for module in pkgutil.iter_modules(rewrites.__path__, "convert.rewrites."):
        importlib.import_module(module.name)
    stage = OnnxToSavedModel(lowering="exact")
    source = Artifact(onnx, Format.ONNX, Signature((), ()), "")
    return _measured(lambda: stage.call(source, folder / "saved_model"))


def _theirs(onnx: Path, folder: Path) -> Side:
    import onnx2tf
    import tensorflow  # noqa: F401 - imports are not what is measured

    copy = folder / "model.onnx"  # onnx2tf writes over its input
    shutil.copy(onnx, copy)
    options = {"output_folder_path": str(folder / "unused"), "disable_model_save": True}
    return _measured(lambda: onnx2tf.convert(input_onnx_file_path=str(copy), **options))


def promises(results: list[LoweringBench]) -> list[tuple[str, str, bool]]:
    """What is promised, what was seen, and whether it holds; nets that were not measured are left out."""
    speedups = {result.name: result.speedup for result in results if result.speedup is not None}
    kept = [
        (f"{name} ≥ {least:g}× faster", f"{speedups[name]:.1f}×", speedups[name] >= least)
        for name, least in LEAST_SPEEDUP.items()
        if name in speedups
    ]
    if speedups:
        median = statistics.median(speedups.values())
        kept.append((f"median ≥ {LEAST_MEDIAN_SPEEDUP:g}× faster", f"{median:.1f}×", median >= LEAST_MEDIAN_SPEEDUP))
    over = [result.name for result in results if not result.memory_holds]
    seen = "all within" if not over else ", ".join(over)
    kept.append(("peak memory ≤ 3 × weights + 1 GB", seen, not over))
    return kept


def render(results: list[LoweringBench], turns: int) -> str:
    """The Markdown page."""
    assert __doc__ is not None
    lines = [
        "# ONNX → SavedModel against onnx2tf",
        "",
        f"Made by `make lowering` on {os.cpu_count()} cores, {platform.machine()}, {time.strftime('%Y-%m-%d')}, "
        f"{turns} turns each. " + " ".join(__doc__.split("\n\n")[2].split()),
        "",
        "| promise | seen | |",
        "|---|---|---|",
        *(
            f"| {what} | {seen} | {'holds' if holds else '**does not hold**'} |"
            for what, seen, holds in promises(results)
        ),
        "",
        "| net | weights, MB | ours, s (CPU) | onnx2tf, s (CPU) | times faster | ours, GB | onnx2tf, GB |",
        "|---|---|---|---|---|---|---|",
        *(_row(result) for result in results),
        "",
        *(f"{result.name}: onnx2tf ends with `{result.note}`." for result in results if result.note),
        "",
    ]
    return "\n".join(lines)


def _row(result: LoweringBench) -> str:
    ours, theirs = result.ours, result.theirs
    their_seconds, faster, their_memory = ("–",) * 3
    if theirs is not None:
        their_seconds = f"{theirs.seconds:.1f} ({theirs.cpu_seconds:.1f})"
        their_memory = f"{theirs.peak_rss_bytes / 1e9:.2f}"
        faster = f"{result.speedup:.1f}×"
    our_seconds = f"{ours.seconds:.2f} ({ours.cpu_seconds:.2f})"
    cells = [result.name, f"{result.weight_bytes / 1e6:.0f}", our_seconds, their_seconds, faster]
    return f"| {' | '.join([*cells, f'{ours.peak_rss_bytes / 1e9:.2f}', their_memory])} |"


def write_page(results: list[LoweringBench], turns: int, out: Path) -> list[LoweringBench]:
    """The page and its JSON; returns all rows, those of earlier runs among them."""
    data = out.with_suffix(".json")
    rows = {}
    if data.is_file():
        rows = {row.name: row for row in from_jsonable(tuple[LoweringBench, ...], json.loads(data.read_text())["nets"])}
    rows |= {result.name: result for result in results}
    kept = sorted(rows.values(), key=lambda row: row.name)
    data.write_text(json.dumps({"turns": turns, "nets": [dataclasses.asdict(row) for row in kept]}, indent=1) + "\n")
    out.with_suffix(".md").write_text(render(kept, turns))
    return kept


def main() -> int:
    """Exit status 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("nets", nargs="*", default=list(NETWORKS))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "lowering")
    parser.add_argument("--child", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.child, Path(options.nets[0]))
        return 0
    kept: list[LoweringBench] = []
    for net in options.nets:
        with tempfile.TemporaryDirectory() as folder:
            result = bench(net, Path(folder), options.turns)
        print(_row(result), flush=True)
        kept = write_page([result], options.turns, options.out)
    return 0 if all(holds for _, _, holds in promises(kept)) else 1


if __name__ == "__main__":
    sys.exit(main())
