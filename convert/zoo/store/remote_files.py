"""A store behind any URL that fsspec opens. Credentials are the environment's; nothing here knows of them."""

from __future__ import annotations

import contextlib
import datetime
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from convert.zoo.store.files import TEMPORARY, Listed
from verify.errors import InputError, MissingDependency

_WHOLE_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "memory"})
"""Protocols under which an object appears once it is whole, and renaming one copies it."""

_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
"""Where fsspec's file systems say when a file was written."""


class RemoteFiles:
    """Files below a URL. A file counts as used when it was written: :meth:`touch` does nothing."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, self._root = _open(url)
        protocols = {self._fs.protocol} if isinstance(self._fs.protocol, str) else set(self._fs.protocol)
        self._whole_objects = bool(protocols & _WHOLE_OBJECTS)

    def size(self, path: str) -> int | None:
        self._fs.invalidate_cache()
        try:
            return int(self._fs.info(self._at(path))["size"])
        except FileNotFoundError:
            return None

    def put(self, path: str, source: Path, *, may_link: bool) -> None:
        """Upload; links are for folders."""
        del may_link
        with self._renamed_to(path) as place:
            self._fs.put_file(str(source), place)

    def get(self, path: str, target: Path) -> None:
        self._fs.get_file(self._at(path), str(target))

    def write(self, path: str, text: str) -> None:
        with self._renamed_to(path) as place:
            self._fs.pipe_file(place, text.encode())

    def read(self, path: str) -> str | None:
        try:
            data: bytes = self._fs.cat_file(self._at(path))
        except FileNotFoundError:
            return None
        return data.decode(errors="replace")

    def touch(self, path: str) -> None:
        """Not kept: writing an object's time anew would mean writing the object."""

    def delete(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._at(path))

    def delete_unused_since(self, path: str, moment: float) -> bool:
        with contextlib.suppress(FileNotFoundError):
            if _seconds(self._fs.info(self._at(path))) > moment:
                return False
            self.delete(path)
        return True

    def list(self, folder: str) -> Iterator[Listed]:
        self._fs.invalidate_cache()
        try:
            found = self._fs.find(self._at(folder), detail=True)
        except FileNotFoundError:
            return
        for name, info in found.items():
            yield Listed(name.removeprefix(self._root).lstrip("/"), int(info["size"]), _seconds(info))

    @contextlib.contextmanager
    def _renamed_to(self, path: str) -> Iterator[str]:
        """Where to write what is to appear whole under ``path``."""
        place = self._at(path)
        if self._whole_objects:
            yield place
            return
        temporary = self._at(f"{TEMPORARY}/{uuid.uuid4().hex}")
        for name in (place, temporary):
            self._fs.makedirs(name.rpartition("/")[0], exist_ok=True)
        try:
            yield temporary
            self._rename(temporary, place)
        except BaseException:
            with contextlib.suppress(OSError):
                self._fs.rm_file(temporary)
            raise

    def _rename(self, temporary: str, place: str) -> None:
        """Some servers refuse to rename over a file that is there; it is the same or an older one."""
        try:
            self._fs.mv(temporary, place)
        except OSError:
            if not self._fs.exists(place):
                raise
            self._fs.rm_file(place)
            self._fs.mv(temporary, place)

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"


def _open(url: str) -> tuple[Any, str]:
    """The file system and the path on it; fsspec's own errors become ours."""
    try:
        import fsspec
    except ImportError as error:
        raise MissingDependency(f"a store at {url} needs fsspec", fix="pip install fsspec") from error
    try:
        fs, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingDependency(f"a store at {url} cannot be opened: {error}", fix="install that package") from error
    except ValueError as error:
        raise InputError(
            f"a store at {url} cannot be opened: {error}", fix="name a folder, or a URL that fsspec knows"
        ) from error
    return fs, root.rstrip("/")


def _seconds(info: Mapping[str, Any]) -> float:
    """When a file was written, since the epoch; 0, long ago, where the file system does not say."""
    value = next((info[key] for key in _TIMES if info.get(key) is not None), 0.0)
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    return value.timestamp() if isinstance(value, datetime.datetime) else float(value)
