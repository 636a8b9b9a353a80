"""One summary of several: the shards of a zoo, each run by a machine of its own.

A shard's files stay where they are. Merged links point from the merged summary to each shard's folder, so put the
shards' folders below the merged one to be able to move all of it.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from convert.zoo.summary.build import write_summary
from convert.zoo.summary.json import read_report
from convert.zoo.summary.standing import headline
from convert.zoo.summary.types import ZooReport, ZooRow
from verify.errors import InputError
from verify.report import words

_SHARD = re.compile(r"(\d+)/(\d+)")


class ShardsDoNotFit(InputError):
    """Reports that are no shards of one zoo: a model is in two of them, or their zoos have different names."""


def merge(reports: Sequence[ZooReport]) -> ZooReport:
    """One report of all rows, in the order given; ``wall_seconds`` and memory are those of the largest shard.

    ``shard`` is empty once the shards are complete, and else says which are here. Raises ``ShardsDoNotFit``.
    """
    _check(reports)
    rows = tuple(row for report in reports for row in report.rows)
    shard = _shards(reports)
    first = reports[0]
    return dataclasses.replace(
        first,
        rows=rows,
        shard=shard,
        headline=headline(rows, shard),
        created=max(report.created for report in reports),
        wall_seconds=max(report.wall_seconds for report in reports),
        peak_memory_bytes=_largest([report.peak_memory_bytes for report in reports]),
        memory_cap_bytes=_largest([report.memory_cap_bytes for report in reports]),
        engine=words.joined(tuple(dict.fromkeys(report.engine for report in reports))),
        versions=tuple(dict.fromkeys(version for report in reports for version in report.versions)),
    )


def merge_folders(shards: Sequence[Path], output: Path, baseline: ZooReport | None = None) -> ZooReport:
    """Merge the ``zoo.json`` of the shards' folders and write the summary anew into ``output``; copies nothing.

    Raises ``ReportUnreadable`` and ``ShardsDoNotFit``.
    """
    merged = merge([_relinked(read_report(shard / "zoo.json"), shard, output) for shard in shards])
    write_summary(merged, output, baseline)
    return merged


def _relinked(report: ZooReport, shard: Path, output: Path) -> ZooReport:
    prefix = Path(os.path.relpath(shard.resolve(), output.resolve())).as_posix()

    def moved(link: str) -> str:
        return f"{prefix}/{link}" if link and prefix != "." else link

    def row(it: ZooRow) -> ZooRow:
        return dataclasses.replace(it, folder=moved(it.folder), log=moved(it.log))

    return dataclasses.replace(report, rows=tuple(row(it) for it in report.rows))


def _check(reports: Sequence[ZooReport]) -> None:
    if not reports:
        raise ShardsDoNotFit("there is no shard to merge", fix="name the output folder of each shard")
    names = tuple(dict.fromkeys(report.name for report in reports))
    if len(names) > 1:
        raise ShardsDoNotFit(
            f"these are runs of different zoos: {words.joined(names)}", fix="merge the shards of one zoo only"
        )
    counts = Counter(row.id for report in reports for row in report.rows)
    twice = tuple(id_ for id_, number in counts.items() if number > 1)
    if twice:
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise ShardsDoNotFit(
            f"in more than one shard: {', '.join(twice[:5])}{more}",
            fix="give each shard's folder once, all of one run with the same --shard …/N",
        )


def _shards(reports: Sequence[ZooReport]) -> str:
    found = [_SHARD.fullmatch(report.shard) for report in reports]
    present = {(int(it[1]), int(it[2])) for it in found if it}
    if None not in found and len({total for _, total in present}) == 1:
        (total,) = {total for _, total in present}
        if {number for number, _ in present} == set(range(1, total + 1)):
            return ""
    return ", ".join(report.shard for report in reports if report.shard)


def _largest(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
