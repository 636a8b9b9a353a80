"""The zoos of the coverage table, run a few models at a time, so that a disk holds them.

A chunk is converted by ``convert zoo run``, set beside other converters while its files are there, and reduced to its
reports. Whatever ended a run, the next one goes on: what has a result of the same key is not run again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import peers
from coverage_chunks import TIERS, chunks, tier_of
from coverage_onnx2tf import Given, beside
from coverage_rows import INT8_FAILURES, Int8Failure, one_line, read_commits, read_int8_failures, read_report
from coverage_systems import write_checkpoints

from convert.workspace import code_sha256
from convert.zoo.files import last_result, result_path, write_result
from convert.zoo.job import Job
from convert.zoo.jobs import make_jobs
from convert.zoo.manifest import only_targets
from convert.zoo.places import Places
from convert.zoo.plan import Zoo
from convert.zoo.result import JobResult, Outcome
from convert.zoo.run import ZooRun, collect_zoo
from convert.zoo.sources import HashMemo
from convert.zoo.store import open_store
from convert.zoo.store.gc import gc
from convert.zoo.store.reports import keep_reports, without_models
from convert.zoo.summary.build import write_summary
from verify.atomic import write_text
from verify.errors import ExitCode
from verify.jsonio import to_jsonable

ROOT = Path(__file__).parent.parent
FLOAT = "float32"
_AT_INT8 = "stage: int8"


@dataclass(frozen=True)
class ZooFile:
    """A manifest, and the zoo in it as far as it is asked for."""

    manifest: Path
    zoo: Zoo
    places: Places


@dataclass(frozen=True)
class Options:
    """How to run: where everything goes, how many jobs at once, and whether other converters are asked."""

    output: Path
    slots: int = 1
    onnx2tf: bool = True
    peers: Path | None = None
    """The Python of an environment with litert-torch."""
    again: bool = False
    """Run what has a result too."""


def run(files: Sequence[ZooFile], options: Options) -> None:
    """Run what is not there yet, smallest models first."""
    write_photos(ROOT / "build" / "coverage" / "photos")  # where the manifests look for them
    record_commit(options.output)
    for file in files:
        write_checkpoints(file.zoo, options.output / "checkpoints.log")
    due = {file.manifest: wanted(file, again=options.again) for file in files}
    for tier in range(TIERS):
        for file in files:
            models = [model for model in file.zoo.models if model.id in due[file.manifest] and tier_of(model) == tier]
            for chunk in chunks(models):
                run_chunk(file, [model.id for model in chunk], options)
    for file in files:
        write_summary(collect_zoo(as_converted(file, options.output), ZooRun(file.places)), file.places.output)


def run_chunk(file: ZooFile, ids: Sequence[str], options: Options) -> None:
    """Convert, compare, and keep the reports."""
    print(f"{file.zoo.name}: {', '.join(ids)}", file=sys.stderr, flush=True)
    convert(file, ids, options)
    without_int8 = int8_failures(file.places, ids)
    remember_int8_failures(options.output, file.places, ids, without_int8)
    if without_int8:
        convert(file, list(without_int8), options, "--targets", FLOAT)
    for model_id in ids:
        with tempfile.TemporaryDirectory(dir=options.output) as scratch:
            compare(file.places, model_id, options, Path(scratch))
    reduce_to_reports(file, ids)


def convert(file: ZooFile, ids: Sequence[str], options: Options, *more: str) -> None:
    """The zoo's own command on some of its models; how it ends is in its results. It ends when this one is ended."""
    command = [sys.executable, "-m", "convert", "zoo", "run", str(file.manifest), "-o", str(file.places.output)]
    command += ["--filter", f"id={'|'.join(ids)}", "--jobs", str(options.slots), *more]
    command += ["--retry", "all"] if options.again else []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as zoo:
        try:
            code = zoo.wait()
        except BaseException:
            zoo.terminate()
            raise
    if code == ExitCode.BAD_INPUT:  # it did not run: another run holds the folder, say, and would for the next chunk
        raise SystemExit(code)


def int8_failures(places: Places, ids: Sequence[str]) -> dict[str, JobResult]:
    """Of models that were converted and could not be quantized: how that ended."""
    results = {model_id: last_result(places.jobs, model_id) for model_id in ids}
    return {
        model_id: result
        for model_id, result in results.items()
        if result is not None and any(line.startswith(_AT_INT8) for line in result.context)
    }


def remember_int8_failures(output: Path, places: Places, ids: Sequence[str], failures: Mapping[str, JobResult]) -> None:
    """Keep why, for the row of the float files: by the model, with the key of the job that failed."""
    ran = {f"{places.output.name}/{model_id}" for model_id in ids}
    kept = {name: failure for name, failure in read_int8_failures(output).items() if name not in ran}
    for model_id, result in failures.items():
        kept[f"{places.output.name}/{model_id}"] = Int8Failure(result.key, one_line(result))
    write_text(output / INT8_FAILURES, json.dumps(to_jsonable(kept, dict[str, Int8Failure]), indent=1) + "\n")


def as_converted(file: ZooFile, output: Path) -> Zoo:
    """The zoo, asking for no int8 where there is none: its results are then those of the float files."""
    failures = read_int8_failures(output)
    floats = only_targets(file.zoo, FLOAT)
    pairs = zip(file.zoo.models, floats.models, strict=True)
    name = file.places.output.name
    return replace(file.zoo, models=tuple(less if f"{name}/{model.id}" in failures else model for model, less in pairs))


def compare(places: Places, model_id: str, options: Options, scratch: Path) -> None:
    """Set a model's files beside what others make of the same; nothing where it has none."""
    report = read_report(places, model_id)
    folder = places.models / model_id
    files = {file.name: file for file in report.artifacts} if report is not None else {}
    there = {name for name, file in files.items() if (folder / file.file).exists()}
    if report is None or report.model is None or not {"onnx", "float32"} <= there:
        return
    onnx, float32 = files["onnx"], files["float32"]
    given = Given(folder / onnx.file, onnx.sha256, report.model.inputs, folder / float32.file, float32.sha256)
    if options.onnx2tf:
        beside(given, options.output, scratch)
    if options.peers is not None:
        peers.beside(places, model_id, options.peers, options.output, scratch)


def reduce_to_reports(file: ZooFile, ids: Sequence[str]) -> None:
    """Remove what the models are made of, from the store and from where users find them."""
    places = file.places
    store = open_store(ZooRun(places).store_url)
    keep_reports(store)
    for model_id in ids:
        result = last_result(places.jobs, model_id)
        if result is not None:
            reduced = without_models(result)
            places.checkout(model_id).update(store, reduced)
            write_result(reduced, result_path(places.jobs, model_id))
    gc(store, None, grace_s=0)


def wanted(file: ZooFile, *, again: bool) -> set[str]:
    """The models to run."""
    return {model.id for model in file.zoo.models} if again else set(unfinished(file))


def unfinished(file: ZooFile) -> Iterator[str]:
    """Models without a result of today's code, samples and options, or whose files wait to be compared."""
    places = file.places
    store = str(places.store.absolute())
    failures = read_int8_failures(places.output.parent)
    places.output.mkdir(parents=True, exist_ok=True)
    with HashMemo(places.hashes) as hashes:
        for job in make_jobs(file.zoo, store=store, scratch=places.scratch.absolute(), hashes=hashes):
            last = last_result(places.jobs, job.id)
            failed = failures.get(f"{places.output.name}/{job.id}")
            keys = {last.key if last is not None else "", failed.key if failed is not None else ""}
            stands = last is not None and job.key in keys and last.outcome is not Outcome.INFRASTRUCTURE
            if isinstance(job, Job) and (not stands or any((places.models / job.id).glob("*.onnx"))):
                yield job.id


def record_commit(output: Path) -> None:
    """Remember which commit our code is of; a ``+`` says that files differ from it."""
    commit = _git("rev-parse", "--short=10", "HEAD")
    changed = _git("status", "--porcelain", "--", "convert", "quantize", "verify")
    commits = {**read_commits(output), code_sha256(): commit + ("+" if changed else "")}
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "commits.json", json.dumps(commits, indent=1) + "\n")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def write_photos(folder: Path) -> None:
    """The photographs that image nets are calibrated and judged on."""
    sys.path.insert(0, str(ROOT / "examples" / "torchvision_zoo"))
    from make_photos import write_crops

    for name, count, seed in (("calibration", 64, 0), ("evaluation", 32, 1)):
        if not (folder / name).is_dir():
            write_crops(folder / f".{name}", count, seed)
            (folder / f".{name}").rename(folder / name)
