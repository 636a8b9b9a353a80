"""A store in a folder: files are linked rather than copied where they can be, and read-only once they are there."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from convert.zoo.store.files import TEMPORARY, Listed

_READ_ONLY = 0o444


class LocalFiles:
    """A folder. When a file was last used is its change time: it moves without the time of modification, which hard
    links elsewhere share.
    """

    def __init__(self, root: Path) -> None:
        self.url = str(root)
        self._root = root

    def size(self, path: str) -> int | None:
        try:
            return (self._root / path).stat().st_size
        except FileNotFoundError:
            return None

    def put(self, path: str, source: Path, *, may_link: bool) -> None:
        temporary = self._temporary()
        try:
            if may_link:
                _link_or_copy(source, temporary)
            else:
                shutil.copyfile(source, temporary)
            temporary.chmod(_READ_ONLY)
            _sync(temporary)
            self._rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def get(self, path: str, target: Path) -> None:
        _link_or_copy(self._root / path, target)

    def write(self, path: str, text: str) -> None:
        temporary = self._temporary()
        try:
            temporary.write_text(text, encoding="utf-8")
            _sync(temporary)
            self._rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def read(self, path: str) -> str | None:
        try:
            return (self._root / path).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def touch(self, path: str) -> None:
        """Changing the mode to what it is moves the change time; only a file's owner may do that."""
        place = self._root / path
        with contextlib.suppress(OSError):
            place.chmod(place.stat().st_mode & 0o777)

    def delete(self, path: str) -> None:
        (self._root / path).unlink(missing_ok=True)

    def delete_unused_since(self, path: str, moment: float) -> bool:
        with contextlib.suppress(FileNotFoundError):
            if (self._root / path).stat().st_ctime > moment:
                return False
            self.delete(path)
        return True

    def list(self, folder: str) -> Iterator[Listed]:
        for place in (self._root / folder).rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                stat = place.stat()
                if place.is_file():
                    yield Listed(place.relative_to(self._root).as_posix(), stat.st_size, stat.st_ctime)

    def _temporary(self) -> Path:
        folder = self._root / TEMPORARY
        folder.mkdir(parents=True, exist_ok=True)
        return folder / uuid.uuid4().hex

    def _rename(self, temporary: Path, path: str) -> None:
        place = self._root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(place)


def _link_or_copy(source: Path, target: Path) -> None:
    """A copy where the file systems differ, or know no links, or the file has as many as it can have."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
