"""A temporary folder named after its process: what killed ones left goes when the next is made."""

from __future__ import annotations

import shutil
from pathlib import Path

from convert.zoo.owner import is_abandoned, owner_tag


def owned_folder(base: Path, prefix: str) -> Path:
    """A new folder in ``base``, one a process; those with the same prefix whose process is gone are removed first."""
    for folder in base.glob(f"{prefix}*"):
        if is_abandoned(folder.name.removeprefix(prefix)):
            shutil.rmtree(folder, ignore_errors=True)
    own = base / f"{prefix}{owner_tag()}"
    own.mkdir(mode=0o700)
    return own
