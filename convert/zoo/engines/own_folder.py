"""A temporary folder that goes with its process, killed or not: the next process clears away what was left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "zoo-of-"
_LOCK = "lock"
_YOUNG_SECONDS = 60.0
"""Between making a folder and locking it another process may look; one so young is left alone."""


def own_folder(parent: Path | None = None) -> Path:
    """A new folder, below the system's temporary one by default; removes those whose process has ended."""
    where = parent or Path(tempfile.gettempdir())
    for folder in where.glob(f"{_PREFIX}*"):
        _remove_if_left(folder)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where))
    _hold(folder / _LOCK)
    return folder


def _hold(path: Path) -> None:
    """Lock a file for as long as this process lives; its children do not get the descriptor."""
    fcntl.flock(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC), fcntl.LOCK_EX)


def _remove_if_left(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it is locked, somebody else's, or being removed by another
        if time.time() - folder.stat().st_mtime < _YOUNG_SECONDS:
            return
        with (folder / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
