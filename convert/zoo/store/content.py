"""The store: blobs by the hash of their bytes, and small JSON entries that name them.

    blobs/<2>/<sha256>        read-only
    results/<2>/<key>.json    how a job ended
    stages/<2>/<key>.json     what a stage made
    sources/<2>/<key>.json    a checkpoint that was fetched or built
    ladders/<2>/<key>.json    which exporter and lowering a model was converted by
    tmp/                      what is being written

Any number of processes may write to one store at a time: a blob is the same whoever writes it, and of two entries under
one key either will do.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from convert.workspace import Climbed
from convert.zoo.result import JobResult, StoredFile
from convert.zoo.store.base import StageEntry
from convert.zoo.store.errors import damaged, unavailable
from convert.zoo.store.files import Files
from verify.artifact import sha256_of
from verify.jsonio import from_jsonable, to_jsonable

SCHEMA_VERSION = 1

BLOBS = "blobs"


class EntryKind(StrEnum):
    """The folders of entries."""

    RESULTS = "results"
    STAGES = "stages"
    SOURCES = "sources"
    LADDERS = "ladders"


ENTRY_TYPES: dict[EntryKind, type] = {
    EntryKind.RESULTS: JobResult,
    EntryKind.STAGES: StageEntry,
    EntryKind.SOURCES: StoredFile,
    EntryKind.LADDERS: Climbed,
}

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class ContentStore:
    """A :class:`convert.zoo.store.base.Store` on files that may lie anywhere."""

    def __init__(self, files: Files) -> None:
        self.url = files.url
        self.files = files

    def put_file(self, path: Path, name: str, *, may_link: bool = False) -> StoredFile:
        """See :class:`Store`; nothing is written where the blob is there already."""
        file = StoredFile(name, sha256_of(path), path.stat().st_size)
        blob = blob_path(file.sha256)
        with self._told(f"cannot take {name}"):
            if self.files.size(blob) == file.size_bytes:
                self.files.touch(blob)
            else:
                self.files.put(blob, path, may_link=may_link)
        return file

    def get_file(self, file: StoredFile, target: Path) -> None:
        """See :class:`Store`; a blob with the wrong bytes is dropped, so that the next :meth:`put_file` heals it."""
        temporary = target.with_name(f".{uuid.uuid4().hex}.part")
        blob = blob_path(file.sha256)
        try:
            with self._told(f"cannot give {file.path}"):
                self.files.get(blob, temporary)
            if sha256_of(temporary) != file.sha256:
                self.files.delete(blob)
                raise damaged(self.url, file.path, file.sha256, "is not what was put there")
            temporary.replace(target)
        except FileNotFoundError:
            raise damaged(self.url, file.path, file.sha256, "is not there any more") from None
        finally:
            temporary.unlink(missing_ok=True)

    def result(self, key: str) -> JobResult | None:
        found: JobResult | None = self._entry(EntryKind.RESULTS, key)
        return found

    def put_result(self, result: JobResult) -> None:
        self._put_entry(EntryKind.RESULTS, result.key, result)

    def stage(self, key: str) -> StageEntry | None:
        found: StageEntry | None = self._entry(EntryKind.STAGES, key)
        return found

    def put_stage(self, key: str, entry: StageEntry) -> None:
        self._put_entry(EntryKind.STAGES, key, entry)

    def climbed(self, key: str) -> Climbed | None:
        found: Climbed | None = self._entry(EntryKind.LADDERS, key)
        return found

    def put_climbed(self, climbed: Climbed) -> None:
        self._put_entry(EntryKind.LADDERS, climbed.key, climbed)

    def source(self, key: str) -> StoredFile | None:
        found: StoredFile | None = self._entry(EntryKind.SOURCES, key)
        return found

    def put_source(self, key: str, file: StoredFile) -> None:
        self._put_entry(EntryKind.SOURCES, key, file)

    def read_entry(self, kind: EntryKind, path: str) -> Any:
        """The entry in a file of the store; ``None`` where it is gone, cut short, or of another schema."""
        text = self.files.read(path)
        try:
            data = json.loads(text or "")
            return from_jsonable(ENTRY_TYPES[kind], data["entry"]) if data["schema"] == SCHEMA_VERSION else None
        except (ValueError, KeyError, TypeError):
            return None

    def _entry(self, kind: EntryKind, key: str) -> Any:
        path = entry_path(kind, key)
        with self._told(f"cannot be read at {path}"):
            entry = self.read_entry(kind, path)
            if entry is not None:
                self.files.touch(path)
        return entry

    def _put_entry(self, kind: EntryKind, key: str, entry: object) -> None:
        text = json.dumps({"schema": SCHEMA_VERSION, "entry": to_jsonable(entry)})
        path = entry_path(kind, key)
        with self._told(f"cannot take {path}"):
            self.files.write(path, text)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Whatever the file system or the network says, as an error of ours; a missing file is the caller's to tell."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise unavailable(self.url, what, error) from error


def blob_path(sha256: str) -> str:
    """``blobs/ab/ab12…``."""
    return f"{BLOBS}/{sha256[:2]}/{sha256}"


def entry_path(kind: EntryKind, key: str) -> str:
    """``results/ab/ab12….json``; a key that could lead out of the folder is a fault of the caller's."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key: expected letters, digits, - and _")
    return f"{kind}/{key[:2]}/{key}.json"
