"""Jobs for test_fork_server.py."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
from pathlib import Path

from verify.errors import ExportFailed

_memory = ["nothing"]
_calls: list[int] = []


def remember() -> None:
    """For the server: what is done before the fork is there after it."""
    _memory[0] = "prepared before the fork"


def take_long() -> None:
    time.sleep(5)


def remembered() -> str:
    return _memory[0]


def is_imported(module: str) -> bool:
    return module in sys.modules


def count() -> int:
    _calls.append(1)
    return len(_calls)


def surroundings() -> dict[str, str]:
    return {
        "folder": str(Path.cwd()),
        "environment": repr(sorted(os.environ.items())),
        "path": repr(sys.path),
        "temporary": tempfile.gettempdir(),
        "stdin": str(Path("/proc/self/fd/0").readlink()),
        "leads its session": str(os.getsid(0) == os.getpid()),
    }


def chatter() -> None:
    while True:
        os.write(1, b"x" * 2**14)
        time.sleep(0.001)


def find_no_room(wrapped: bool) -> None:
    try:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere/model.onnx")
    except OSError as error:
        if wrapped:
            raise ExportFailed("neither exporter could write the file") from error
        raise


def babble() -> None:
    for handle in range(3, 32):
        try:
            os.write(handle, b"no answer\n")
        except OSError:
            continue
