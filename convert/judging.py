"""From outputs on disk to judged edges and described files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.feeding import PreparedSamples
from convert.floors import NoiseFloors
from convert.hosts import Hosts
from convert.parity import FLOAT_ARTIFACTS
from convert.pipeline import PipelineResult
from convert.settings import RunSettings
from convert.stages.base import Host
from convert.start import Start
from convert.verdict import artifact_verdict
from verify.artifact import Artifact, size_bytes
from verify.compare import compare_edge
from verify.influence import with_influences
from verify.report.types import ArtifactReport, EdgeReport
from verify.runners.inspect import OpSummary, summarise_ops
from verify.runners.output_grids import output_grids
from verify.runners.record import RunRecord
from verify.tallies.grid import OutputGrid
from verify.tolerance import Budget, FloatBudget, quantized_budget

INTEGER_ARTIFACTS = frozenset({"dynamic_int8", "int8"})
"""Where an op that computes in float is worth a word; float16 files store half precision and compute in float."""


@dataclass(frozen=True)
class Judging:
    """Judges what lies in ``outputs(name)`` for each artifact, on the samples that made it."""

    hosts: Hosts
    start: Start
    samples: PreparedSamples
    settings: RunSettings
    outputs: Callable[[str], Path]
    floors: NoiseFloors

    def edges(self, result: PipelineResult, known: Sequence[EdgeReport] = ()) -> tuple[EdgeReport, ...]:
        """Every artifact against the one it was made from, and against the model the run started from.

        Those that are ``known`` are not compared again.
        """
        judged = {(edge.expected, edge.actual): edge for edge in known}
        pairs = self._pairs(result)
        missing = [pair for pair in pairs if pair not in judged]
        judged |= dict(zip(missing, self._judged(missing, result), strict=True))
        return tuple(judged[pair] for pair in pairs)

    def float_edges(self, result: PipelineResult) -> tuple[EdgeReport, ...]:
        """The edges that lead to the float files made so far."""
        return self._judged([pair for pair in self._pairs(result) if pair[1] in FLOAT_ARTIFACTS], result)

    def _pairs(self, result: PipelineResult) -> list[tuple[str, str]]:
        pairs = [(parent, name) for name, parent in result.parents.items()]
        return pairs + [(self.start.name, name) for name in result.parents if (self.start.name, name) not in pairs]

    def _judged(self, pairs: Sequence[tuple[str, str]], result: PipelineResult) -> tuple[EdgeReport, ...]:
        float_budget = FloatBudget(self.floors.of(result.artifacts["onnx"]))
        classes = self._class_count(result)
        grids = {name: self._grids(name, result) for name in dict.fromkeys(actual for _, actual in pairs)}
        return tuple(self._edge(expected, actual, float_budget, classes, grids[actual]) for expected, actual in pairs)

    def _grids(self, name: str, result: PipelineResult) -> tuple[OutputGrid, ...]:
        if name not in INTEGER_ARTIFACTS:
            return ()
        return self.hosts.worker(Host.RUNTIME).run(output_grids, path=result.artifacts[name].path).value

    def _class_count(self, result: PipelineResult) -> int | None:
        """Of a recognised classifier; else the columns of a sole output (N, columns): what a classifier gives."""
        if self.start.description is not None and self.start.description.class_count is not None:
            return self.start.description.class_count
        (output, *more) = result.artifacts["onnx"].signature.outputs
        columns = output.shape[1] if len(output.shape) == 2 else None
        return columns if not more and isinstance(columns, int) and columns > 1 else None

    def _edge(
        self,
        expected: str,
        actual: str,
        float_budget: FloatBudget,
        classes: int | None,
        grids: tuple[OutputGrid, ...],
    ) -> EdgeReport:
        budget: Budget = float_budget
        if actual not in FLOAT_ARTIFACTS:
            budget = quantized_budget(actual, self.settings.int8_min_sqnr_db)
        edge = compare_edge(
            expected_name=expected,
            actual_name=actual,
            expected=self.outputs(expected),
            actual=self.outputs(actual),
            budget=budget,
            sample_count=self.samples.sample_count,
            class_count=classes,
            grids=grids,
        )
        return with_influences(
            edge,
            expected=self.outputs(expected),
            actual=self.outputs(actual),
            mixed=self.samples.mixed,
            budget=budget,
            grids=grids,
        )


def describe_files(
    hosts: Hosts, result: PipelineResult, records: Mapping[str, RunRecord], edges: Sequence[EdgeReport]
) -> tuple[ArtifactReport, ...]:
    """What was made, in the order it was made: size, ops, latency, verdict."""
    return tuple(
        _describe(name, result.artifacts[name], _ops(hosts, result.artifacts[name]), records[name], edges)
        for name in result.parents
    )


def _ops(hosts: Hosts, artifact: Artifact) -> OpSummary:
    return hosts.worker(Host.RUNTIME).run(summarise_ops, artifact=artifact).value


def _describe(
    name: str, artifact: Artifact, ops: OpSummary, record: RunRecord, edges: Sequence[EdgeReport]
) -> ArtifactReport:
    return ArtifactReport(
        name=name,
        file=artifact.path.name,
        format=artifact.format.value,
        size_bytes=size_bytes(artifact.path),
        sha256=artifact.sha256,
        signature=artifact.signature,
        latency_ms=record.latency_ms,
        op_counts=ops.op_counts,
        float_op_counts=ops.float_op_counts if name in INTEGER_ARTIFACTS else (),
        verdict=artifact_verdict(name, edges),
    )
