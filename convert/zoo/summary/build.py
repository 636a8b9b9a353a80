"""From a zoo and its results to the summary's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from convert.zoo.plan import PlannedModel, Zoo
from convert.zoo.result import JobResult
from convert.zoo.summary.csv import render_csv
from convert.zoo.summary.diff import ZooDiff, diff, render_diff_json
from convert.zoo.summary.html import render_html
from convert.zoo.summary.json import render_json
from convert.zoo.summary.junit import render_junit
from convert.zoo.summary.markdown import render_markdown
from convert.zoo.summary.standing import headline, judge
from convert.zoo.summary.types import SCHEMA_VERSION, ZooReport, ZooRow
from verify.atomic import write_text
from verify.versions import versions

MODELS = "models"
"""Below the summary: ``models/<id>/`` is what ``convert pth2tflite`` would have published."""

JOBS = "jobs"
"""Below the summary: ``jobs/<id>/log.txt``."""


@dataclass(frozen=True)
class RunFacts:
    """What a summary says about the run itself. ``created`` (ISO 8601, UTC) also is the day expectations expire by."""

    created: str
    wall_seconds: float
    engine: str
    peak_memory_bytes: int | None = None
    memory_cap_bytes: int | None = None
    shard: str = ""
    versions: tuple[tuple[str, str], ...] = field(default_factory=versions)


def build_report(zoo: Zoo, results: Mapping[str, JobResult], run: RunFacts) -> ZooReport:
    """The report of a run; models without a result by their id are ``not run``, results of no model are left out."""
    today = date.fromisoformat(run.created[:10])
    rows = tuple(_row(model, results.get(model.id), today) for model in zoo.models)
    return ZooReport(
        schema_version=SCHEMA_VERSION,
        name=zoo.name,
        headline=headline(rows, run.shard),
        rows=rows,
        created=run.created,
        wall_seconds=run.wall_seconds,
        peak_memory_bytes=run.peak_memory_bytes,
        memory_cap_bytes=run.memory_cap_bytes,
        engine=run.engine,
        versions=run.versions,
        shard=run.shard,
    )


def write_summary(report: ZooReport, folder: Path, baseline: ZooReport | None = None) -> ZooDiff | None:
    """Write every rendering into ``folder``, each whole or not at all; ``zoo.json`` last, so it vouches for the others.

    Returns the difference to ``baseline``, which then also stands in the page and in ``zoo.diff.json``.
    """
    changes = None if baseline is None else diff(baseline, report)
    if changes is None:
        (folder / "zoo.diff.json").unlink(missing_ok=True)
    else:
        write_text(folder / "zoo.diff.json", render_diff_json(changes))
    write_text(folder / "zoo.csv", render_csv(report))
    write_text(folder / "zoo.junit.xml", render_junit(report))
    write_text(folder / "zoo.md", render_markdown(report, changes))
    write_text(folder / "zoo.html", render_html(report, changes))
    write_text(folder / "zoo.json", render_json(report))
    return changes


def _row(model: PlannedModel, result: JobResult | None, today: date) -> ZooRow:
    published = result is not None and result.conversion is not None
    logged = result is not None and result.log is not None
    folder = f"{MODELS}/{model.id}" if published else ""
    return judge(model, result, today, folder=folder, log=f"{JOBS}/{model.id}/log.txt" if logged else "")
