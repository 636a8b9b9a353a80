"""What `verify` costs beside the bare inference of its samples: ResNet18 over 5 edges, side by side in one run.

    python benchmarks/verify_speed.py [--folder DIR] [--turns 3] [--samples 32]

The chain is the checkpoint and the five files that `convert pth2tflite` makes of it. Bare is the same batches through
the same six models in workers that are up already, each opened once, nothing written and nothing compared. A process
start is counted as long as it takes until all three workers, started at once, have their frameworks and answer. Turns
alternate; medians are shown. Memory is the sum of all processes' peaks with the samples, and with four times as
many. Writes docs/verify_speed.json and docs/verify_speed.md. Exit status 1 if a promise does not hold.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bare_inference import Bare, answer, bare_checkpoint, bare_model

from verify.artifact import Format
from verify.chain.entries import entries_of
from verify.chain.judging import floors_of
from verify.chain.run import run_chain
from verify.chain.settings import ChainSettings
from verify.chain.verification import verification_of
from verify.chain.workers import open_workers
from verify.errors import ExitCode
from verify.jsonio import to_jsonable
from verify.model import ModelSource
from verify.opening import open_model
from verify.samples import InputSpec, RandomSamples
from verify.samples.write import write_batches
from verify.signature import TensorSpec
from verify.threads import runtime_threads
from verify.worker import Limits, Worker

ROOT = Path(__file__).parent.parent
MOST_TIMES_BARE = 1.5
MOST_MEMORY_GROWTH = 1.1
MORE_SAMPLES = 4
KINDS = (Format.CHECKPOINT, Format.SAVED_MODEL, Format.TFLITE)
"""Formats of the three workers."""


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock, and of the processor: the latter changes little with what else the machine does."""

    seconds: float
    cpu_s: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, self.cpu_s + other.cpu_s)


@dataclass(frozen=True)
class Turn:
    """One turn of each; ``bare`` has an entry a model."""

    starts: Cost
    bare: tuple[Bare, ...]
    verify: Cost

    @property
    def infer_s(self) -> float:
        return sum(each.infer_s for each in self.bare)

    @property
    def open_s(self) -> float:
        return sum(each.open_s for each in self.bare)

    @property
    def ratio(self) -> float:
        """What `verify` takes beyond its process starts, over bare inference."""
        return (self.verify.seconds - self.starts.seconds) / self.infer_s

    @property
    def cpu_ratio(self) -> float:
        """The same in processor seconds."""
        return (self.verify.cpu_s - self.starts.cpu_s) / sum(each.infer_cpu_s for each in self.bare)


def make_models(folder: Path) -> tuple[Path, Path]:
    """ResNet18's checkpoint, and the folder of its conversion; kept where they are there already."""
    sys.path.insert(0, str(ROOT / "tests"))
    from zoo import make_checkpoint

    checkpoint, converted = folder / "resnet18.pth", folder / "resnet18"
    if not checkpoint.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with Worker("torch", log_path=folder / "make.log") as worker:
            worker.run(make_checkpoint, name="resnet18", folder=folder, classes=1000)
    if not (converted / "report.json").is_file():
        command = [sys.executable, "-m", "convert", "pth2tflite", str(checkpoint), "-o", str(converted), "--quiet"]
        subprocess.run(command, check=True, capture_output=True)
    return checkpoint, converted


def one_turn(checkpoint: Path, converted: Path, samples: int, log: Path) -> Turn:
    """One after the other: neither disturbs the other."""
    starts, bare = _bare(checkpoint, converted, samples)
    imports = "import verify.cli, verify.chain.verification"
    starts += _cost([sys.executable, "-c", imports], log)
    return Turn(starts, bare, _cost(_command(checkpoint, converted, samples), log))


def _cost(command: list[str], log: Path) -> Cost:
    """Of a command that has to succeed, its children included."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("wb") as output:
        code = subprocess.run(command, check=False, stdout=output, stderr=output).returncode
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    _require_pass(code, log)
    return Cost(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _bare(checkpoint: Path, converted: Path, samples: int) -> tuple[Cost, tuple[Bare, ...]]:
    entries = entries_of((checkpoint, converted))
    started = time.perf_counter()
    with open_workers(Limits()) as (workers, folder):
        workers.warm({entry.format for entry in entries})
        answers = [future.result().value for future in [workers.of(kind).submit(answer) for kind in KINDS]]
        starts = Cost(time.perf_counter() - started, sum(answers))
        opened = {
            entry.path: workers.of(entry.format).run(open_model, path=entry.path, layouts=()).value.artifact
            for entry in entries[1:]
        }
        inputs = tuple(_input(spec) for spec in opened[entries[1].path].signature.inputs)
        batches = folder / "batches"
        workers.of(Format.TFLITE).run(
            write_batches, source=RandomSamples(), inputs=inputs, folder=batches, max_judging=samples
        )
        source = ModelSource(checkpoint)
        bare = [workers.of(Format.CHECKPOINT).run(bare_checkpoint, source=source, batches=batches).value]
        for entry in entries[1:]:
            job = workers.of(entry.format).run(bare_model, artifact=opened[entry.path], batches=batches)
            bare.append(job.value)
    return starts, tuple(bare)


def _input(spec: TensorSpec) -> InputSpec:
    return InputSpec(spec.name, spec.shape, spec.dtype)


def _command(checkpoint: Path, converted: Path, samples: int) -> list[str]:
    return [sys.executable, "-m", "verify", str(checkpoint), str(converted), "--max-samples", str(samples), "-q"]


def peak_bytes(checkpoint: Path, converted: Path, samples: int) -> int:
    """The peaks of the workers, each by the kernel's own account, and this process's; added up."""
    settings = ChainSettings(max_samples=samples)
    with run_chain((checkpoint, converted), settings, lambda _phrase: None) as chain:
        floors, refusals = floors_of(chain)
        verification_of(chain, floors, refusals)
        workers = sum(chain.workers.of(kind).peak_memory_bytes for kind in KINDS)
    return workers + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _require_pass(exit_code: int, log: Path) -> None:
    if exit_code != ExitCode.PASS:
        raise SystemExit(f"verify ended with {exit_code}:\n{log.read_text()}")


def render(turns: list[Turn], memory: tuple[int, ...], samples: int) -> str:
    """The page."""
    middle = statistics.median
    rows = [
        f"| {bare.name} | {middle(turn.bare[at].open_s for turn in turns):.2f} "
        f"| {middle(turn.bare[at].infer_s for turn in turns):.2f} |"
        for at, bare in enumerate(turns[0].bare)
    ]
    wall, starts = middle(turn.verify.seconds for turn in turns), middle(turn.starts.seconds for turn in turns)
    infer, opening = middle(turn.infer_s for turn in turns), middle(turn.open_s for turn in turns)
    return "\n".join(
        [
            "# What verification costs",
            "",
            f"ResNet18, 3 × 224 × 224, {samples} random samples, {len(turns[0].bare)} models, batches of 1, 2 and 5, "
            f"{runtime_threads()} threads a runtime, medians of {len(turns)} turns. "
            "Made by `python benchmarks/verify_speed.py`.",
            "",
            "| bare, one model after another | open, s | infer, s |",
            "|---|---|---|",
            *rows,
            f"| all | {opening:.2f} | {infer:.2f} |",
            "",
            "| `verify CHECKPOINT FOLDER` | s |",
            "|---|---|",
            f"| whole command | {wall:.2f} |",
            f"| of it process starts, with their imports | {starts:.2f} |",
            f"| the rest, over bare inference | {middle(turn.ratio for turn in turns):.2f} × |",
            f"| the same in processor seconds | {middle(turn.cpu_ratio for turn in turns):.2f} × |",
            "",
            *(f"- {'holds' if holds else 'DOES NOT HOLD'}: {text}" for text, holds in promises(turns, memory)),
            "",
        ]
    )


def promises(turns: list[Turn], memory: tuple[int, ...]) -> list[tuple[str, bool]]:
    """What is promised of both figures, with what was seen."""
    ratio = statistics.median(turn.ratio for turn in turns)
    few, many = memory
    growth = many / few
    return [
        (
            f"at most {MOST_TIMES_BARE} × bare inference, plus process starts (seen: {ratio:.2f} ×)",
            ratio <= MOST_TIMES_BARE,
        ),
        (
            f"memory flat in the sample count: {few / 1e9:.2f} GB, with {MORE_SAMPLES} times the samples "
            f"{many / 1e9:.2f} GB ({growth:.2f} ×, at most {MOST_MEMORY_GROWTH})",
            growth <= MOST_MEMORY_GROWTH,
        ),
    ]


def main() -> int:
    """Exit status 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="keep the models here, or find them here; else a temporary folder")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "verify_speed.md", help="the page; JSON beside it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        checkpoint, converted = make_models(options.folder or Path(temporary))
        log = Path(temporary) / "verify.log"
        turns = []
        for _ in range(options.turns):
            turns.append(one_turn(checkpoint, converted, options.samples, log))
            print(f"{turns[-1].ratio:.2f} ×, {turns[-1].cpu_ratio:.2f} × of the processor", flush=True)
        memory = tuple(
            peak_bytes(checkpoint, converted, samples) for samples in (options.samples, MORE_SAMPLES * options.samples)
        )
    data = {"samples": options.samples, "turns": turns, "memory_bytes": memory}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".json").write_text(json.dumps(to_jsonable(data), indent=1) + "\n")
    options.out.write_text(render(turns, memory, options.samples))
    print(options.out.read_text())
    return 0 if all(holds for _, holds in promises(turns, memory)) else 1


if __name__ == "__main__":
    sys.exit(main())
