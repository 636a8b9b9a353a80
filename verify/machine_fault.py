"""Whether the machine was at fault, whatever a library made of it: a full disk, no memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from verify.errors import DiskFull, InfrastructureError, InputError, OutOfMemory, ToolError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_SAYS_NO_ROOM = ("No space left on device", "Disk quota exceeded")
_SAYS_NO_MEMORY = ("std::bad_alloc", "can't allocate memory", "OOM when allocating")
"""As C++, torch (RuntimeError) and TensorFlow (ResourceExhaustedError) say it."""


def machine_fault(error: BaseException, job: str) -> InfrastructureError | None:
    """The machine's fault that an error came of; ``None`` when it did not, or says so itself.

    Looks at what the error was raised from, too: an exporter that could not write its file is no bad model. A bad
    input that asks for more memory than there is stays a bad input.
    """
    if isinstance(error, InfrastructureError):
        return None
    context = error.context if isinstance(error, ToolError) else ()
    for cause in _chain(error):
        if _is_disk_full(cause):
            return DiskFull(
                f"no space left on {_disk(cause)} that {job} writes to",
                fix="free some, or work on another disk",
                context=context,
            )
        if _is_out_of_memory(cause) and not isinstance(error, InputError):
            return OutOfMemory(
                f"out of memory in {job}: {cause}", fix="use a machine with more memory", context=context
            )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _is_disk_full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in _NO_ROOM) or any(text in str(error) for text in _SAYS_NO_ROOM)


def _is_out_of_memory(error: BaseException) -> bool:
    out_of_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or out_of_memory or any(text in str(error) for text in _SAYS_NO_MEMORY)


def _disk(error: BaseException) -> str:
    """By a folder on it, where the error names the file that had no room."""
    named = error.filename if isinstance(error, OSError) else None
    return f"the disk of {Path(os.fsdecode(named)).absolute().parent}" if isinstance(named, str | bytes) else "a disk"
