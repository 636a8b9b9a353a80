"""A job's own folder, gone after it, whatever was written there and however it ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from convert.zoo.owner import is_abandoned, shared_owner_tag

_PREFIX = "job-"


class Scratch:
    """Makes a private folder below ``base`` and removes it, with what killed wrappers left there.

    ``work`` is the job's, ``temporary`` what its libraries take for ``/tmp``; ``log`` is what it prints.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self.folder = base
        self._tag = shared_owner_tag()

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def log(self) -> Path:
        return self.folder / "job.log"

    def clear(self) -> None:
        """Remove all but the folder itself: on a full disk there is room again."""
        for folder in (self.work, self.temporary):
            remove_folder(folder)
        self.log.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self._base.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(self._base)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{self._tag}-", dir=self._base)).absolute()
        try:
            self.work.mkdir()
            self.temporary.mkdir()
        except BaseException:
            remove_folder(self.folder)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        remove_folder(self.folder)


def remove_own(base: Path) -> None:
    """Remove what this process has below ``base``; for one that is about to end in the middle of a job."""
    for folder in base.glob(f"{_PREFIX}{shared_owner_tag()}-*"):
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder, write-protected parts of it too; what cannot be removed at all stays for the next start."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        return
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            inner = Path(parent, name)
            if not inner.is_symlink():
                with contextlib.suppress(OSError):
                    inner.chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        if is_abandoned(folder.name.removeprefix(_PREFIX).rpartition("-")[0]):
            remove_folder(folder)
