"""``models/<id>/``: a finished job's output folder, put there from the store, and left alone while it is intact."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from convert.workspace import REPORT_NAMES
from convert.zoo.result import JobResult, StoredFile
from convert.zoo.store.base import Store
from verify.atomic import write_text
from verify.jsonio import from_jsonable, to_jsonable


@dataclass(frozen=True)
class _Placed:
    """A file as it was put: by size and time of change a later run knows that nobody has touched it."""

    sha256: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class _Stamp:
    """What was put into a model's folder."""

    files: dict[str, _Placed] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkout:
    """The folder of one model, and the stamp file that says what we put there. Other people's files there stay."""

    folder: Path
    stamp: Path

    def update(self, store: Store, result: JobResult) -> None:
        """Make the folder hold exactly the result's files; the reports go first and come back last.

        Raises ``StoreDamaged`` when the store no longer has them.
        """
        wanted = {file.path: file for file in result.conversion.files} if result.conversion else {}
        placed = self._stamp().files
        if {path: file.sha256 for path, file in wanted.items()} == {
            path: file.sha256 for path, file in placed.items()
        } and self._intact(placed):
            return
        self._remove(placed)
        for path in sorted(wanted, key=_reports_last):
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(wanted[path], target)
        if wanted or placed:
            files = {path: _placed(self.folder / path, file) for path, file in sorted(wanted.items())}
            write_text(self.stamp, json.dumps(to_jsonable(_Stamp(files))))

    def _stamp(self) -> _Stamp:
        try:
            return from_jsonable(_Stamp, json.loads(self.stamp.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return _Stamp()

    def _intact(self, placed: dict[str, _Placed]) -> bool:
        try:
            return all(_placed_now(self.folder / path) == (p.size_bytes, p.modified_ns) for path, p in placed.items())
        except OSError:
            return False

    def _remove(self, paths: Iterable[str]) -> None:
        folders = {self.folder}
        for path in sorted(paths, key=_reports_last, reverse=True):
            (self.folder / path).unlink(missing_ok=True)
            folders |= {self.folder / parent for parent in PurePosixPath(path).parents}
        for folder in sorted(folders, key=lambda each: len(each.parts), reverse=True):
            with contextlib.suppress(OSError):  # not empty: something of the user's is in it
                folder.rmdir()


def _reports_last(path: str) -> tuple[int, str]:
    """Everything in the order of its name, then the reports as :mod:`convert.workspace` publishes them."""
    return (1 + REPORT_NAMES[::-1].index(path) if path in REPORT_NAMES else 0, path)


def _placed(path: Path, file: StoredFile) -> _Placed:
    size_bytes, modified_ns = _placed_now(path)
    return _Placed(file.sha256, size_bytes, modified_ns)


def _placed_now(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
