"""Names that say which process made a thing, so that the next one can clear away what a killed one left."""

from __future__ import annotations

import os
import platform

import psutil


def owner_tag() -> str:
    """Of this process: its id and when it started; good in names of files on this machine."""
    return f"{os.getpid()}.{_started(os.getpid())}"


def shared_owner_tag() -> str:
    """As :func:`owner_tag`, with the machine's name, for folders that other machines see too."""
    return f"{owner_tag()}.{platform.node()}"


def is_abandoned(tag: str) -> bool:
    """Whether the process that made a thing with this tag is gone. Of another machine's nobody can tell."""
    pid, _, rest = tag.partition(".")
    started, _, machine = rest.partition(".")
    if machine not in {"", platform.node()} or not pid.isdigit() or not started.isdigit():
        return False
    return _started(int(pid)) != int(started)


def _started(pid: int) -> int:
    """In hundredths of a second; 0 for a process that is gone. Process ids come again, but not at the same time."""
    try:
        return round(psutil.Process(pid).create_time() * 100)
    except psutil.Error:
        return 0
