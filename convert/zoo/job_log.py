"""What is kept of what a job printed: the beginning and the end."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

KEPT_BYTES = 2**18
"""From the beginning of a log, and as many from its end."""


def abridged(logs: Sequence[Path]) -> bytes:
    """What the logs say, one after the other, each cut to its two ends."""
    said = [(log.name, text) for log in logs if log.is_file() and (text := _ends(log))]
    if len(said) == 1:
        return said[0][1]
    return b"\n".join(b"== %s ==\n%s" % (name.encode(), text) for name, text in said)


def logs_below(folder: Path) -> list[Path]:
    """Every ``*.log`` in a folder that is a plain file, by path; that of a failed run is in the job's own already."""
    logs = (path for path in folder.rglob("*.log") if not path.name.endswith(".failed.log"))
    return sorted(path for path in logs if stat.S_ISREG(path.lstat().st_mode))


def _ends(log: Path) -> bytes:
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if size <= 2 * KEPT_BYTES:
            return file.read(2 * KEPT_BYTES)
        first = file.read(KEPT_BYTES)
        file.seek(-KEPT_BYTES, 2)
        left_out = size - 2 * KEPT_BYTES
        return b"%s\n... %d bytes left out ...\n%s" % (first, left_out, file.read(KEPT_BYTES))
