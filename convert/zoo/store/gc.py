"""Making room: what was not used for longest goes first, and what nothing names goes always."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from convert.workspace import Climbed
from convert.zoo.result import JobResult, StoredFile
from convert.zoo.store.base import StageEntry
from convert.zoo.store.content import BLOBS, ContentStore, EntryKind
from convert.zoo.store.files import TEMPORARY, Listed

GRACE_SECONDS = 3600.0
"""How long a blob may wait for the entry that will name it: a running job keeps its files before its result."""


@dataclass(frozen=True)
class GcReport:
    """What was removed (or would be, in a dry run), and what is left. Sizes are of blobs; entries are small."""

    removed_entries: int = 0
    removed_blobs: int = 0
    removed_bytes: int = 0
    removed_temporary: int = 0
    left_entries: int = 0
    left_bytes: int = 0
    """Of all blobs that are still there, those too young to go included."""
    dry_run: bool = False


@dataclass(frozen=True)
class _Entry:
    """``blobs`` is ``None`` where the entry cannot be read."""

    listed: Listed
    blobs: frozenset[str] | None

    @property
    def key(self) -> str:
        return PurePosixPath(self.listed.path).stem


def gc(
    store: ContentStore,
    max_bytes: int | None,
    keep: Collection[str] = (),
    *,
    grace_s: float = GRACE_SECONDS,
    dry_run: bool = False,
) -> GcReport:
    """Remove the longest unused blobs, with every entry that names one, until what is left fits ``max_bytes``.

    A blob is as recently used as the latest used entry that names it. ``None`` removes only what no entry names, what
    is damaged, and what writers left behind. Entries under a key in ``keep``, and all they name, stay whatever their
    size. No blob that was put within ``grace_s`` seconds goes for lack of an entry, so jobs may run meanwhile; but not
    on a remote store, where a blob that is put again is as old as it was.
    """
    moment = time.time() - grace_s
    entries = list(_entries(store))  # before the blobs, so that each blob of a whole entry is among them
    blobs = {PurePosixPath(each.path).name: each for each in store.files.list(BLOBS)}
    whole = [entry for entry in entries if entry.blobs is not None and entry.blobs <= blobs.keys()]
    sizes = {sha256: each.size_bytes for sha256, each in blobs.items()}
    staying = whole if max_bytes is None else _fitting(whole, sizes, max_bytes, frozenset(keep))
    named = {sha256 for entry in staying for sha256 in entry.blobs or ()}
    going = [entry.listed for entry in set(entries).difference(staying)]
    unnamed = [each for sha256, each in sorted(blobs.items()) if sha256 not in named and each.used <= moment]
    abandoned = [each for each in store.files.list(TEMPORARY) if each.used <= moment]
    if not dry_run:
        going = [each for each in going if store.files.delete_unused_since(each.path, each.used)]
        unnamed = _deleted(store, unnamed, moment)
        abandoned = _deleted(store, abandoned, moment)
    removed_bytes = sum(each.size_bytes for each in unnamed)
    return GcReport(
        removed_entries=len(going),
        removed_blobs=len(unnamed),
        removed_bytes=removed_bytes,
        removed_temporary=len(abandoned),
        left_entries=len(entries) - len(going),
        left_bytes=sum(sizes.values()) - removed_bytes,
        dry_run=dry_run,
    )


def _entries(store: ContentStore) -> Iterator[_Entry]:
    for kind in EntryKind:
        for listed in store.files.list(kind):
            found = store.read_entry(kind, listed.path)
            blobs = frozenset(file.sha256 for file in _files(found)) if found is not None else None
            yield _Entry(listed, blobs)


def _files(entry: JobResult | StageEntry | StoredFile | Climbed) -> Sequence[StoredFile]:
    if isinstance(entry, Climbed):
        return ()
    if isinstance(entry, StoredFile):
        return (entry,)
    if isinstance(entry, StageEntry):
        return entry.files
    log = (entry.log,) if entry.log is not None else ()
    return (*(entry.conversion.files if entry.conversion else ()), *log)


def _fitting(entries: Sequence[_Entry], sizes: Mapping[str, int], max_bytes: int, keep: frozenset[str]) -> list[_Entry]:
    """The entries that stay when blobs go one by one: a stage is not forgotten whose files a used result holds anyway.

    They may still not fit, where ``keep`` holds too much.
    """
    named_by: dict[str, list[_Entry]] = defaultdict(list)
    for entry in entries:
        for sha256 in entry.blobs or ():
            named_by[sha256].append(entry)
    last_use = {sha256: max(entry.listed.used for entry in by) for sha256, by in named_by.items()}
    kept = {sha256 for sha256, by in named_by.items() if any(entry.key in keep for entry in by)}
    names = Counter({sha256: len(by) for sha256, by in named_by.items()})
    left_bytes = sum(sizes[sha256] for sha256 in named_by)
    gone: set[_Entry] = set()
    for oldest in sorted(named_by.keys() - kept, key=lambda sha256: (last_use[sha256], sha256)):
        if left_bytes <= max_bytes:
            break
        for entry in set(named_by[oldest]) - gone:
            gone.add(entry)
            names.subtract(entry.blobs)
            left_bytes -= sum(sizes[sha256] for sha256 in entry.blobs or () if names[sha256] == 0)
    return [entry for entry in entries if entry not in gone]


def _deleted(store: ContentStore, listed: Sequence[Listed], moment: float) -> list[Listed]:
    return [each for each in listed if store.files.delete_unused_since(each.path, moment)]
