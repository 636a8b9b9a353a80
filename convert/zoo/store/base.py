"""The store as jobs and schedulers see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from convert.workspace import Climbed, Made
from convert.zoo.result import JobResult, StoredFile


@dataclass(frozen=True)
class StageEntry:
    """What a stage made under a key, and where its bytes are; a SavedModel is several files.

    All names, in ``made`` and in ``files``, begin with ``stem``: what the model was called where it was made.
    """

    stem: str
    made: Made
    files: tuple[StoredFile, ...]


class Store(Protocol):
    """Blobs by hash; results, stages and fetched sources by key. An entry is written after every blob it names."""

    url: str

    def put_file(self, path: Path, name: str, *, may_link: bool = False) -> StoredFile:
        """Keep a file's bytes; ``name`` is its POSIX path in the job's output folder.

        ``may_link`` says that nobody will write to the file any more: it may then become read-only and share its bytes
        with the store instead of being copied.
        """
        ...

    def get_file(self, file: StoredFile, target: Path) -> None:
        """The file at ``target``, whole or not at all; raises ``StoreDamaged`` where the bytes are gone or changed.

        It may share its bytes with the store, and is read-only then.
        """
        ...

    def result(self, key: str) -> JobResult | None:
        """How a job ended; ``None`` where nothing readable is known of it."""
        ...

    def put_result(self, result: JobResult) -> None:
        """Remember how a job ended, under its own key: a failure too."""
        ...

    def stage(self, key: str) -> StageEntry | None: ...

    def put_stage(self, key: str, entry: StageEntry) -> None: ...

    def climbed(self, key: str) -> Climbed | None:
        """How far a run got on the ladder of exporters and lowerings, by what decides it."""
        ...

    def put_climbed(self, climbed: Climbed) -> None: ...

    def source(self, key: str) -> StoredFile | None:
        """A checkpoint that was fetched or built before, by the key of where it came from."""
        ...

    def put_source(self, key: str, file: StoredFile) -> None: ...
