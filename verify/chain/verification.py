"""The result of a chain as one :class:`Verification`."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from verify.artifact import size_bytes
from verify.chain.coverage import input_coverage
from verify.chain.headline import headline
from verify.chain.judging import judge_edges
from verify.chain.run import Chain, Ran
from verify.chain.verdict import next_steps, worst
from verify.report.types import Refusal
from verify.report.verification import VERIFICATION_SCHEMA_VERSION, Verification, VerifiedModel
from verify.samples.source import RandomSamples
from verify.tolerance import OutputFloor
from verify.versions import versions


def verification_of(chain: Chain, floors: tuple[OutputFloor, ...], refusals: tuple[Refusal, ...]) -> Verification:
    """Judge what was run; the time it took is counted from the start of the run."""
    models = tuple(_model(ran) for ran in chain.models)
    edges = judge_edges(chain, floors)
    inputs = input_coverage(chain)
    return Verification(
        schema_version=VERIFICATION_SCHEMA_VERSION,
        verdict=worst(edges),
        headline=headline(models, edges),
        next_steps=next_steps(
            edges,
            inputs,
            random=isinstance(chain.settings.samples, RandomSamples),
            pictured=chain.settings.pictures,
        ),
        command=chain.settings.command,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        models=models,
        samples=chain.samples.description,
        inputs=inputs,
        edges=edges,
        notes=chain.notes,
        refusals=(*chain.refusals, *refusals),
        total_seconds=time.monotonic() - chain.started,
        versions=versions(),
    )


def _model(ran: Ran) -> VerifiedModel:
    artifact = ran.member.artifact
    return VerifiedModel(
        name=ran.member.entry.name,
        path=str(artifact.path),
        format=artifact.format.value,
        sha256=artifact.sha256,
        size_bytes=size_bytes(artifact.path),
        latency_ms=ran.fed.latency_ms,
    )
