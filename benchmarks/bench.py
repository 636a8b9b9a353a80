"""Our whole command against onnx2tf's own, side by side in one run: time, memory, and the speed of the files they make.

    python benchmarks/bench.py [--nets alexnet mobilenet_v2 …] [--skip-slow] [--threads 1] [--folder DIR]

Ours is `convert pth2tflite NET.pth --calib CROPS`: export, lowering, float32, float16, both int8 files, each edge
verified. onnx2tf's is `onnx2tf -i NET.onnx -o DIR` on the ONNX file that ours exported, which makes float32 and float16
and verifies nothing. Writes docs/bench.json and docs/bench.md. AlexNet's run of onnx2tf takes minutes and 15 GB;
`--skip-slow` leaves out the slow runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from networks import NETWORKS
from process_tree import Run, run_measured

from verify.jsonio import from_jsonable
from verify.worker import Worker

HERE = Path(__file__).parent
ROOT = HERE.parent
BIN = Path(sys.executable).parent
THEIR_WHOLE_COMMAND = ("mobilenet_v2", "alexnet")
SLOW = ("alexnet", "vgg16")
THEIR_MEMORY_BYTES = 17 << 30
LEAST_SPEEDUP = {"alexnet": 15.0, "mobilenet_v2": 2.5}
MOST_MEMORY_GB = {"alexnet": 3.5, "vgg16": 6.0}
MOST_LATENCY_RATIO = 1.05
MOST_HELP_S = 0.3


@dataclass(frozen=True)
class Latency:
    """Our float32 file and onnx2tf's, batch 1; ``ratio`` is the median over neighbouring runs of ours over theirs."""

    ours_ms: float
    theirs_ms: float
    ratio: float
    turns: int


@dataclass(frozen=True)
class NetBench:
    """One net. ``theirs`` is ``None`` where onnx2tf's whole command was not run; ``note`` says why."""

    name: str
    ours: Run
    theirs: Run | None
    latency: Latency
    note: str = ""

    @property
    def speedup(self) -> float | None:
        return None if self.theirs is None else self.theirs.seconds / self.ours.seconds


def bench(name: str, folder: Path, threads: int, *, skip_slow: bool) -> NetBench:
    """Make a checkpoint of the net, run both, compare the files."""
    sys.path.insert(0, str(ROOT / "tests"))
    from zoo import make_checkpoint, save_photo_crops

    folder.mkdir(parents=True, exist_ok=True)
    with Worker("torch", log_path=folder / "make.log") as worker:
        checkpoint = worker.run(make_checkpoint, name=name, folder=folder, classes=1000).value
    crops = save_photo_crops(folder / "crops", 48, 299 if name == "inception_v3" else 224)
    out = folder / "ours"
    command = [sys.executable, "-m", "convert", "pth2tflite", checkpoint, "-o", out, "--calib", crops]
    ours = run_measured([*map(str, command), "--quiet"], folder / "ours.log")
    if ours.exit_code not in (0, 1):
        raise RuntimeError(f"{name}: our command ended with {ours.exit_code}; see {folder / 'ours.log'}")
    onnx = out / f"{name}.onnx"
    theirs, note = _their_command(name, onnx, folder, skip_slow=skip_slow)
    their_file = folder / "onnx2tf" / f"{name}_float32.tflite"
    if theirs is None:
        their_file = folder / "onnx2tf_float32.tflite"
        script = [sys.executable, str(HERE / "onnx2tf_float32.py"), str(onnx), str(their_file)]
        subprocess.run(script, check=True, capture_output=True, env=_environment())
    compare = [sys.executable, str(HERE / "latency.py"), str(out / f"{name}_float32.tflite"), str(their_file)]
    measured = subprocess.run([*compare, str(threads)], check=True, capture_output=True, text=True).stdout
    return NetBench(name, ours, theirs, Latency(**json.loads(measured)), note)


def _their_command(name: str, onnx: Path, folder: Path, *, skip_slow: bool) -> tuple[Run | None, str]:
    if name not in THEIR_WHOLE_COMMAND:
        return None, ""
    if name in SLOW and skip_slow:
        return None, "onnx2tf's command not run: --skip-slow"
    available = psutil.virtual_memory().available
    if name in SLOW and available < THEIR_MEMORY_BYTES:
        return None, f"onnx2tf's command not run: it needs 17 GB and {available / 1e9:.1f} are free"
    copy = folder / f"{name}.onnx"  # onnx2tf writes over its input
    copy.write_bytes(onnx.read_bytes())
    command = [str(BIN / "onnx2tf"), "-i", str(copy), "-o", str(folder / "onnx2tf")]
    run = run_measured(command, folder / "onnx2tf.log", _environment())
    if run.exit_code:
        raise RuntimeError(f"{name}: onnx2tf ended with {run.exit_code}; see {folder / 'onnx2tf.log'}")
    return run, ""


def _environment() -> dict[str, str]:
    """onnx2tf starts ``onnxsim`` by name."""
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": "-1"}


def help_seconds() -> float:
    """The fastest of five: how long a user waits for `convert --help`."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([str(BIN / "convert"), "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def render(results: list[NetBench], help_s: float, threads: int) -> str:
    """The Markdown page: what was promised and what was seen, then each net."""
    lines = [
        "# Speed and memory against onnx2tf",
        "",
        f"Made by `make bench` on {os.cpu_count()} cores, {platform.machine()}, {time.strftime('%Y-%m-%d')}. "
        "Memory is the peak over the whole process tree of the sum of proportional set sizes (a page that processes "
        f"share counts once), polled every 0.2 s. Latency is LiteRT's default delegate at batch 1 with {threads} "
        "thread(s), the two files taking turns.",
        "",
        "| promise | seen | |",
        "|---|---|---|",
        *(_promise(*entry) for entry in promises(results, help_s)),
        "",
        "| net | ours, s (CPU) | ours, GB | onnx2tf, s (CPU) | onnx2tf, GB | times faster "
        "| ours, ms | onnx2tf, ms | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(result) for result in results),
        "",
        *(f"{result.name}: {result.note}." for result in results if result.note),
        "Where onnx2tf's command was not timed, its file was made by its library with the saving left out "
        "(`benchmarks/onnx2tf_float32.py`), for the latency.",
        "",
    ]
    return "\n".join(lines)


def promises(results: list[NetBench], help_s: float) -> list[tuple[str, str, bool]]:
    """What is promised, what was seen, and whether it holds; nets that were not measured are left out."""
    kept = []
    for result in results:
        if result.speedup is not None:
            least = LEAST_SPEEDUP[result.name]
            kept.append((f"{result.name} ≥ {least:g}× faster", f"{result.speedup:.1f}×", result.speedup >= least))
        if result.name in MOST_MEMORY_GB:
            most, seen = MOST_MEMORY_GB[result.name], result.ours.peak_pss_bytes / 1e9
            kept.append((f"{result.name} ≤ {most:g} GB", f"{seen:.2f} GB", seen <= most))
    worst = max(results, key=lambda result: result.latency.ratio)
    ratio = worst.latency.ratio
    kept.append((f"latency ≤ {MOST_LATENCY_RATIO}×", f"{ratio:.2f}× ({worst.name})", ratio <= MOST_LATENCY_RATIO))
    kept.append((f"`convert --help` < {MOST_HELP_S} s", f"{help_s:.2f} s", help_s < MOST_HELP_S))
    return kept


def _promise(promise: str, seen: str, holds: bool) -> str:
    return f"| {promise} | {seen} | {'holds' if holds else '**does not hold**'} |"


def _row(result: NetBench) -> str:
    ours, theirs, latency = result.ours, result.theirs, result.latency
    their_cells = ("–", "–", "–")
    if theirs is not None:
        speedup = f"{theirs.seconds / ours.seconds:.1f}×"
        their_cells = (_seconds(theirs), f"{theirs.peak_pss_bytes / 1e9:.2f}", speedup)
    cells = [result.name, _seconds(ours), f"{ours.peak_pss_bytes / 1e9:.2f}", *their_cells]
    cells += [f"{latency.ours_ms:.2f}", f"{latency.theirs_ms:.2f}", f"{latency.ratio:.2f}"]
    return f"| {' | '.join(cells)} |"


def _seconds(run: Run) -> str:
    return f"{run.seconds:.1f} ({run.cpu_seconds:.1f})"


def write_page(results: list[NetBench], help_s: float, threads: int, out: Path) -> None:
    """The page and its JSON, after each net: a long run may be cut short, and nets not run keep what they had."""
    rows = {}
    if out.with_suffix(".json").is_file():
        kept = json.loads(out.with_suffix(".json").read_text())["nets"]
        rows = {row.name: row for row in from_jsonable(tuple[NetBench, ...], kept)}
    rows |= {result.name: result for result in results}
    results = sorted(rows.values(), key=lambda row: NETWORKS.index(row.name))
    data = {"threads": threads, "help_s": help_s, "nets": [dataclasses.asdict(result) for result in results]}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
    out.write_text(render(results, help_s, threads))


def main() -> int:
    """Exit status 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nets", nargs="+", default=list(NETWORKS), choices=NETWORKS, metavar="NET")
    parser.add_argument("--skip-slow", action="store_true", help="no onnx2tf command on AlexNet, no VGG16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep what is made here; else a temporary folder")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench.md", help="the page; JSON beside it")
    options = parser.parse_args()
    nets = [name for name in options.nets if not (options.skip_slow and name == "vgg16")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        help_s = help_seconds()
        results: list[NetBench] = []
        for name in nets:
            result = bench(name, folder / name, options.threads, skip_slow=options.skip_slow)
            print(_row(result), result.note, flush=True)
            results.append(result)
            write_page(results, help_s, options.threads, options.out)
    return 0 if all(holds for _, _, holds in promises(results, help_s)) else 1


if __name__ == "__main__":
    sys.exit(main())
