"""Nothing half-made is visible: a file is written under a temporary name, synced, then renamed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` (UTF-8): readers see the old file or the whole new one, never a part."""
    write_texts({path: text})


def write_texts(texts: Mapping[Path, str]) -> None:
    """Replace several files as :func:`write_text` does: none is replaced before all are written and synced."""
    temporaries = {path: path.with_name(f".{uuid.uuid4().hex}.part") for path in texts}
    try:
        for path, temporary in temporaries.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("x", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(texts[path])
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in temporaries.items():
            temporary.replace(path)
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        raise
