"""What the page's script knows: the rows as JSON, numbers to sort and draw by, and each number in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from convert.zoo.job import Target
from convert.zoo.plan import Expectation
from convert.zoo.result import JobResult, TargetResult
from convert.zoo.summary import cells
from convert.zoo.summary.standing import label
from convert.zoo.summary.types import Standing, ZooReport, ZooRow
from verify.report import words


def page_data(report: ZooReport) -> str:
    """JSON that can stand inside a ``script`` element: ASCII, and nothing in it closes the element."""
    names = cells.target_names(report)
    data = {
        "targets": [{"name": name, "title": cells.target_title(name), "slot": _slot(name)} for name in names],
        "standings": [str(it) for it in sorted(Standing, key=lambda it: it.acceptable)],
        "rows": [_row(row) for row in report.rows],
    }
    text = json.dumps(_printable(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _row(row: ZooRow) -> dict[str, Any]:
    result = row.result
    conversion = result.conversion if result else None
    return {
        "id": row.id,
        "architecture": conversion.architecture if conversion else "",
        "standing": row.standing,
        "acceptable": row.standing.acceptable,
        "outcome": label(row),
        "why": row.why,
        "seconds": result.seconds if result else None,
        "memory": result.peak_memory_bytes if result else None,
        "tags": row.tags,
        "tier": row.tier,
        "license": row.license,
        "targets": [_target(target) for target in cells.targets(row)],
        "facts": [*_facts(row, result)] if result else [],
    }


def _target(target: TargetResult) -> dict[str, Any]:
    told = cells.target_cells(target)
    return {
        "name": target.name,
        "file": target.file,
        "numbers": [target.size_bytes, target.sqnr_db, target.top1_agreement, target.latency_ms],
        "words": [told.size, told.sqnr, told.top1, told.latency],
        "mark": told.mark,
        "why": _open(target),
    }


def _facts(row: ZooRow, result: JobResult) -> Iterator[tuple[str, str]]:
    """Term and description of what an opened row tells beyond its cells."""
    conversion = result.conversion
    if result.what and result.what != row.why:
        yield "Message", result.what
    if result.fix:
        yield "Fix", result.fix
    if result.context:
        yield "Where", "\n".join(result.context)
    for expectation in row.expect:
        yield "Expected", _expected(expectation)
    if conversion is not None and conversion.headline != row.why:
        yield "Report says", conversion.headline
    limits = result.limits
    time = f"{cells.duration(result.seconds)} of at most {cells.duration(limits.timeout_s)}"
    memory = f"{words.size(result.peak_memory_bytes)} of memory of at most {words.size(limits.memory_bytes)}"
    again = f", {result.attempts} attempts" if result.attempts > 1 else ""
    yield "Used", f"{time}, {memory}{again}"
    if result.finished or result.host:
        yield "Ran", " on ".join(filter(None, (result.finished, result.host)))
    if conversion is not None and conversion.reused_stages:
        yield "Taken from the store", words.joined(conversion.reused_stages)
    if conversion is not None and conversion.refusals:
        yield "Left undone", f"{words.count(conversion.refusals, 'refusal')}, with reasons in the report"
    if conversion is not None and conversion.input_sha256:
        yield "Input’s sha256", conversion.input_sha256


def _expected(expectation: Expectation) -> str:
    where = cells.target_title(expectation.target) if expectation.target else "the whole job"
    return f"{expectation.outcome} of {where} until {expectation.expires}: {expectation.reason}"


def _open(target: TargetResult) -> str:
    in_float = f"{words.count(target.float_ops, 'op')} in float" if target.float_ops else ""
    return "; ".join(filter(None, (target.why, in_float)))


def _slot(name: str) -> int:
    """Which colour and shape it has; the same in every zoo."""
    known = list(Target)
    return known.index(Target(name)) if name in known else 0


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return "\n".join(words.printable(line) for line in value.split("\n"))
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value
