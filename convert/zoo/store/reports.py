"""Results without their models: what a run found out weighs kilobytes, what it made gigabytes."""

from __future__ import annotations

import time
from dataclasses import replace

from convert.workspace import REPORT_NAMES
from convert.zoo.result import JobResult
from convert.zoo.store.content import ContentStore, EntryKind

REPORTS = frozenset({*REPORT_NAMES, "run.log", "signature.json"})
"""Of an output folder, what says how a conversion went."""


def keep_reports(store: ContentStore) -> None:
    """Make every result name its reports alone, and forget stages and fetched checkpoints.

    The results stand: an unchanged zoo is still known as such. Their models are gone from the store once
    :func:`convert.zoo.store.gc.gc` has removed what nothing names any more, and from an output folder once the zoo is
    run or collected again; whoever wants one makes it anew.
    """
    moment = time.time()
    for listed in list(store.files.list(EntryKind.RESULTS)):
        found = store.read_entry(EntryKind.RESULTS, listed.path)
        if isinstance(found, JobResult) and (reduced := without_models(found)) != found:
            store.put_result(reduced)
    for kind in (EntryKind.STAGES, EntryKind.SOURCES):
        for listed in list(store.files.list(kind)):
            store.files.delete_unused_since(listed.path, moment)


def without_models(result: JobResult) -> JobResult:
    """The same result, its conversion naming reports and logs alone."""
    if result.conversion is None:
        return result
    files = tuple(file for file in result.conversion.files if file.path in REPORTS)
    return replace(result, conversion=replace(result.conversion, files=files))
