"""litert-torch beside: the same checkpoint through its whole command and through ours, and the two files by turns.

It lives in an environment of its own (`make peers` builds it) and is called as a person would call it. Its files have a
fixed batch of 1. Only nets of torchvision and timm that take one picture and are small enough; records are kept by the
checkpoint's hash, and renewed when our float32 file is another or litert-torch is.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coverage_onnx2tf import JUDGING, by_turns, short
from coverage_rows import Beside, read_beside, read_report
from coverage_types import Peer
from process_tree import Run, run_measured

from convert.zoo.files import job_path, read_job
from convert.zoo.job import Job, SourceKind
from convert.zoo.places import Places
from convert.zoo.sources.library import architecture_of
from convert.zoo.store import open_store
from verify.atomic import write_text
from verify.errors import ToolError
from verify.jsonio import to_jsonable
from verify.report.types import Report
from verify.worker import Worker

SCRIPT = Path(__file__).parent / "peers" / "litert_torch_convert.py"
MOST_WEIGHT_BYTES = 64 << 20
TIMEOUT_S = 300


def beside(places: Places, model_id: str, python: Path, output: Path, scratch: Path) -> None:
    """Measure a model whose checkpoint and float32 file are still there; nothing happens where the record stands."""
    report = read_report(places, model_id)
    job = read_job(job_path(places.jobs, model_id))
    float32 = next((file for file in report.artifacts if file.name == "float32"), None) if report else None
    if report is None or float32 is None or not _fits(report, job):
        return
    path, version = Beside(output).peer(report.input_sha256), version_of(python)
    if _stands(path, version, float32.sha256):
        return
    stored = open_store(job.store).source(job.source_key)
    if stored is None:
        return
    checkpoint = scratch / stored.path
    open_store(job.store).get_file(stored, checkpoint)
    ours = places.models / model_id / float32.file
    result = measured(report, job, checkpoint, ours, python)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"ours_sha256": float32.sha256, "result": to_jsonable(result)}, indent=1) + "\n")


def measured(report: Report, job: Job, checkpoint: Path, ours: Path, python: Path) -> Peer:
    """Their whole command, then ours, then the two files."""
    result = Peer(version_of(python))
    scratch = checkpoint.parent
    theirs, log = scratch / "litert_torch.tflite", scratch / "litert_torch.log"
    architecture = architecture_of(job.task.source)
    assert report.model is not None
    shape = ",".join(str(1 if isinstance(dim, str) else dim) for dim in report.model.inputs[0].shape)
    their_run = _run([str(python), str(SCRIPT), architecture, str(checkpoint), str(theirs), shape], log)
    if their_run.exit_code or not theirs.is_file():
        return replace(result, error=_last_line(log) or f"exit {their_run.exit_code}")
    command = [sys.executable, "-m", "convert", "pth2tflite", str(checkpoint), "--arch", architecture, "--quiet"]
    our_run = _run([*command, "--output", str(scratch / "ours")], scratch / "ours.log")
    result = replace(result, seconds=their_run.seconds)
    if our_run.exit_code in {0, 1}:
        result = replace(result, our_seconds=our_run.seconds)
    try:
        with Worker("latency", log_path=log, limits=JUDGING) as worker:
            turns = worker.run(by_turns, ours=ours, theirs=theirs).value
    except ToolError as error:
        return replace(result, error=f"its file beside ours: {short(error.what)}")
    return replace(result, ours_ms=turns["ours_ms"], theirs_ms=turns["theirs_ms"], ratio=turns["ratio"])


@functools.cache
def version_of(python: Path) -> str:
    """litert-torch's version in an environment."""
    code = "from importlib.metadata import version; print(version('litert-torch'))"
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _run(command: Sequence[str], log: Path) -> Run:
    return run_measured(["timeout", str(TIMEOUT_S), *command], log, poll_s=1.0)


def _fits(report: Report, job: Job) -> bool:
    if report.model is None or job.task.source.kind not in {SourceKind.TORCHVISION, SourceKind.TIMM}:
        return False
    inputs = report.model.inputs
    picture = len(inputs) == 1 and inputs[0].dtype == "float32" and all(isinstance(d, int) for d in inputs[0].shape[1:])
    return picture and report.model.weight_bytes <= MOST_WEIGHT_BYTES


def _stands(path: Path, version: str, ours_sha256: str) -> bool:
    kept = read_beside(Peer, path)
    if kept is None or kept.version != version:
        return False
    return bool(kept.error) or json.loads(path.read_text(encoding="utf-8"))["ours_sha256"] == ours_sha256


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return short(lines[-1]) if lines else ""
