"""What a store needs of the place where its files lie, whatever that place is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

TEMPORARY = "tmp"
"""The folder of files that are being written; whatever is old there, somebody left behind."""


@dataclass(frozen=True)
class Listed:
    """A file of a store. ``used`` is when it was last written or touched, in seconds since the epoch."""

    path: str
    size_bytes: int
    used: float


class Files(Protocol):
    """Files by POSIX path below one root. What is there is whole: nobody sees a file that is still being written.

    Every method may raise ``OSError``.
    """

    url: str

    def size(self, path: str) -> int | None:
        """Bytes of a file; ``None`` when it is not there."""
        ...

    def put(self, path: str, source: Path, *, may_link: bool) -> None:
        """The bytes of ``source`` under ``path``, replacing what is there."""
        ...

    def get(self, path: str, target: Path) -> None:
        """The file at ``target``, which does not exist yet; raises ``FileNotFoundError``."""
        ...

    def write(self, path: str, text: str) -> None:
        """A small text file, replacing what is there."""
        ...

    def read(self, path: str) -> str | None:
        """A small text file; ``None`` when it is not there."""
        ...

    def touch(self, path: str) -> None:
        """Count the file as used now, where the place can keep that."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        ...

    def delete_unused_since(self, path: str, moment: float) -> bool:
        """Remove a file unless it was used after that moment; whether it is gone."""
        ...

    def list(self, folder: str) -> Iterator[Listed]:
        """All files below a folder; nothing where there is no such folder."""
        ...
