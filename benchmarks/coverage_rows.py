"""What a zoo found out about each model, as rows of the coverage table: read from its reports, never measured."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from coverage_types import LEAST_FLOAT_DB, Onnx2tf, Peer, Row, Status

from convert.zoo.files import last_result
from convert.zoo.manifest import load_zoo
from convert.zoo.places import Places
from convert.zoo.plan import PlannedModel, Zoo
from convert.zoo.result import JobResult, Outcome
from verify.errors import InputError
from verify.jsonio import from_jsonable
from verify.report.json import read_json
from verify.report.types import ArtifactReport, EdgeKind, EdgeReport, Report, RungOutcome, Verdict

BATCH_SIZES = {1, 2, 5}
_HALF_LINE = 130
FLOAT_FILES = ("onnx", "saved_model", "float32")
LAYOUT_OPS = ("TRANSPOSE",)
LEFT_EXPORTER, LEFT_LOWERING = "torch's newer exporter", "exact lowering"

T = TypeVar("T")


def read_zoo(manifest: Path) -> Zoo:
    """A manifest as of today."""
    return load_zoo(manifest, datetime.now(UTC).date())


def zoo_rows(zoo: Zoo, output: Path) -> list[Row]:
    """A row for every model of a zoo whose output folder is ``output/NAME``, whatever code it last ran with."""
    places = Places(output / zoo.name)
    commits = read_commits(output)
    beside = Beside(output)
    return [_row(zoo, model, places, commits, beside) for model in zoo.models]


def refused_rows(path: Path) -> list[Row]:
    """What no manifest has."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["refused"]
    return [
        Row(name, "", table["group"], Status.REFUSED, table["reason"]) for table in tables for name in table["models"]
    ]


def read_commits(output: Path) -> dict[str, str]:
    """The commit that each code was of, by its hash; ``+`` behind it where files differed from it."""
    path = output / "commits.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


INT8_FAILURES = "int8_failures.json"


@dataclass(frozen=True)
class Int8Failure:
    """Why a model whose float files are there has no int8 file, and the key of the job that was to make it."""

    key: str
    why: str


def read_int8_failures(output: Path) -> dict[str, Int8Failure]:
    """By ``ZOO/MODEL``."""
    path = output / INT8_FAILURES
    found: dict[str, Int8Failure] = {}
    if path.is_file():
        found = from_jsonable(dict[str, Int8Failure], json.loads(path.read_text(encoding="utf-8")))
    return found


@dataclass(frozen=True)
class Beside:
    """Other converters' results, kept by what they were given."""

    output: Path

    def onnx2tf(self, onnx_sha256: str) -> Path:
        """By the ONNX file."""
        return self.output / "onnx2tf" / f"{onnx_sha256[:32]}.json"

    def peer(self, checkpoint_sha256: str) -> Path:
        """By the checkpoint."""
        return self.output / "litert_torch" / f"{checkpoint_sha256[:32]}.json"


def read_beside(kind: type[T], path: Path) -> T | None:
    """The record in a file; ``None`` where there is none, or one of another shape."""
    try:
        found: T = from_jsonable(kind, json.loads(path.read_text(encoding="utf-8"))["result"])
    except (OSError, ValueError, KeyError):
        return None
    return found


def read_report(places: Places, model_id: str) -> Report | None:
    """What a model's last conversion reported."""
    try:
        return read_json(places.models / model_id / "report.json")
    except (OSError, InputError):
        return None


def _row(zoo: Zoo, model: PlannedModel, places: Places, commits: Mapping[str, str], beside: Beside) -> Row:
    group = f"{zoo.name} {model.tags[0]}" if model.tags and model.tags[0] != zoo.name else zoo.name
    result = last_result(places.jobs, model.id)
    if result is None:
        return Row(model.id, zoo.name, group, Status.NOT_RUN)
    report = read_report(places, model.id) if result.conversion is not None else None
    started = Row(
        model.id,
        zoo.name,
        group,
        Status.FAILED,
        why=one_line(result),
        code=result.code_sha256,
        commit=commits.get(result.code_sha256, ""),
        finished=result.finished,
        seconds=result.seconds,
        peak_bytes=result.peak_memory_bytes,
    )
    if report is None:
        return started
    row = converted_row(started, result, report, beside)
    failure = read_int8_failures(beside.output).get(f"{zoo.name}/{model.id}")
    if row.int8_loads is None and failure is not None:
        row = replace(row, int8_loads=False, int8_why=failure.why)
    return row


def converted_row(row: Row, result: JobResult, report: Report, beside: Beside) -> Row:
    """The row of a model whose files are there."""
    floats = [edge for edge in report.edges if edge.kind is EdgeKind.FLOAT]
    files = {file.name: file for file in report.artifacts}
    float32, onnx = files.get("float32"), files.get("onnx")
    to_pytorch = {edge.actual: edge for edge in report.edges if edge.expected == "pytorch"}
    int8 = to_pytorch.get("int8")
    lowering = next((stage for stage in report.stages if stage.name == "lower"), None)
    worst = min((decibels(edge) for edge in floats), default=-math.inf)
    exact = bool(floats) and worst >= LEAST_FLOAT_DB and all(edge.verdict is Verdict.PASS for edge in floats)
    return replace(
        row,
        status=Status.EXACT if exact else Status.CONVERTED,
        why="" if exact else _why_not_exact(floats, result),
        edges_db={name: finite(decibels(to_pytorch[name])) for name in FLOAT_FILES if name in to_pytorch},
        worst_float_db=finite(worst),
        dynamic_batch=bool(floats) and all(set(edge.batch_sizes) >= BATCH_SIZES for edge in floats),
        ops=op_count(float32),
        transposes=layout_ops(float32),
        onnx_transposes=dict(onnx.op_counts).get("Transpose", 0) if onnx is not None else None,
        flex=tuple(name for name, _ in float32.op_counts if name.startswith("Flex")) if float32 is not None else (),
        float32_ms=float32.latency_ms if float32 is not None else None,
        int8_loads=None if int8 is None else set(int8.batch_sizes) >= BATCH_SIZES and math.isfinite(decibels(int8)),
        int8_db=None if int8 is None else finite(decibels(int8)),
        lowering_seconds=lowering.seconds if lowering is not None else None,
        lowering_peak_bytes=lowering.peak_memory_bytes if lowering is not None else None,
        weight_bytes=report.model.weight_bytes if report.model is not None else None,
        rung=rung_of(report),
        left_rungs=tuple(
            f"{rung.exporter} · {rung.lowering}: {shortened(rung.reason)}"
            for rung in report.rungs
            if rung.outcome is not RungOutcome.USED
        ),
        refusals=tuple(f"{refusal.stage}: {refusal.subject}: {refusal.reason}" for refusal in report.refusals),
        onnx2tf=read_beside(Onnx2tf, beside.onnx2tf(onnx.sha256)) if onnx is not None else None,
        litert_torch=read_beside(Peer, beside.peer(report.input_sha256)),
    )


def rung_of(report: Report) -> str:
    """The exporter and the lowering of the files; of a report that does not say, from the roads it says were left."""
    rung = report.used_rung
    if rung is not None:
        return f"{rung.exporter} · {rung.lowering}"
    left = {refusal.subject for refusal in report.refusals}
    return f"{'older' if LEFT_EXPORTER in left else 'newer'} · {'onnx2tf' if LEFT_LOWERING in left else 'exact'}"


def decibels(edge: EdgeReport) -> float:
    """Worst output of an edge; infinite where all are identical, minus infinite where one cannot be compared."""
    values = [math.inf if output.identical else output.sqnr_db for output in edge.outputs]
    return min((value if value is not None else -math.inf for value in values), default=-math.inf)


def finite(value: float) -> float | None:
    """As JSON can hold it."""
    return value if math.isfinite(value) else None


def op_count(file: ArtifactReport | None) -> int | None:
    """All ops of a file."""
    return sum(count for _, count in file.op_counts) if file is not None else None


def layout_ops(file: ArtifactReport | None) -> int | None:
    """Its transposes."""
    return sum(count for name, count in file.op_counts if name in LAYOUT_OPS) if file is not None else None


def _why_not_exact(edges: Sequence[EdgeReport], result: JobResult) -> str:
    for edge in edges:
        for output in edge.outputs:
            if output.verdict is not Verdict.PASS or (output.sqnr_db or math.inf) < LEAST_FLOAT_DB:
                return f"{edge.expected} → {edge.actual}, {output.name}: {output.explanation}"
    return one_line(result)


def one_line(result: JobResult) -> str:
    """How a job ended and why; empty where all is well."""
    if result.outcome is Outcome.OK:
        return ""
    return f"{result.label}: {shortened(result.what)}"


def shortened(text: str) -> str:
    """A message in one line, its middle left out where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 2 * _HALF_LINE else f"{line[:_HALF_LINE]} … {line[-_HALF_LINE:]}"
