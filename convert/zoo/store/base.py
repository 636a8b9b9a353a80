"""The store as jobs and schedulers see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from convert.workspace import Made
from convert.zoo.result import JobResult, StoredFile


@dataclass(frozen=True)
class StageEntry:
    """What a stage made under a key, and where its bytes are; a SavedModel is several files."""

    made: Made
    files: tuple[StoredFile, ...]


class Store(Protocol):
    """Blobs by hash; results, stages and fetched sources by key. An entry is written after every blob it names."""

    url: str

    def put_file(self, path: Path, name: str) -> StoredFile:
        """Keep a file's bytes; ``name`` is its POSIX path in the job's output folder."""
        ...

    def get_file(self, file: StoredFile, target: Path) -> None:
        """The file at ``target``, whole or not at all; raises ``StoreDamaged`` where the bytes are gone or changed."""
        ...

    def result(self, key: str) -> JobResult | None: ...

    def put_result(self, result: JobResult) -> None: ...

    def stage(self, key: str) -> StageEntry | None: ...

    def put_stage(self, key: str, entry: StageEntry) -> None: ...

    def source(self, key: str) -> StoredFile | None:
        """A checkpoint that was fetched or built before, by the key of where it came from."""
        ...

    def put_source(self, key: str, file: StoredFile) -> None: ...
