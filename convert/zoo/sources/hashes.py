"""Hashes of files, remembered: a second look at thirty large checkpoints takes milliseconds."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from verify.artifact import sha256_of
from verify.atomic import write_text
from verify.jsonio import from_jsonable, to_jsonable

SETTLED_NS = 2_000_000_000
"""A file that changed less than this before it was hashed may change again without its times showing it: the clock of
some file systems ticks every two seconds."""


@dataclass(frozen=True)
class Stamp:
    """What tells that a file is still the one that was hashed.

    ``changed_ns``, of the inode, gives away who sets back the time of the content, as ``rsync --inplace --times`` does.
    """

    size: int
    modified_ns: int
    changed_ns: int
    inode: int


@dataclass(frozen=True)
class _Entry:
    stamp: Stamp
    sha256: str


class HashMemo:
    """A context manager over a JSON file of hashes by path; written whole on leaving, if anything was added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _read(path)
        self._changed = False

    def sha256(self, path: Path) -> str:
        """As :func:`verify.artifact.sha256_of`, of a file or a folder; raises ``OSError`` where there is none."""
        if not path.is_dir():
            return self._file(path)
        digest = hashlib.sha256()
        for each in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(each.relative_to(path).as_posix().encode())
            digest.update(bytes.fromhex(self._file(each)))
        return digest.hexdigest()

    def save(self) -> None:
        """Write what was added, less files that are gone."""
        if self._changed:
            kept = {name: entry for name, entry in self._entries.items() if Path(name).exists()}
            write_text(self._path, json.dumps(to_jsonable(kept, dict[str, _Entry]), indent=0))
            self._changed = False

    def _file(self, path: Path) -> str:
        name = str(path.absolute())
        stamp = _stamp(path)
        known = self._entries.get(name)
        if known is not None and known.stamp == stamp:
            return known.sha256
        started_ns = time.time_ns()
        sha256 = sha256_of(path)
        if max(stamp.modified_ns, stamp.changed_ns) < started_ns - SETTLED_NS and _stamp(path) == stamp:
            self._entries[name] = _Entry(stamp, sha256)
            self._changed = True
        return sha256

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.save()


def _stamp(path: Path) -> Stamp:
    state = path.stat()
    return Stamp(state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


def _read(path: Path) -> dict[str, _Entry]:
    """What an earlier run remembered; nothing where it cannot be read, for it is only a memo."""
    try:
        return from_jsonable(dict[str, _Entry], json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return {}
