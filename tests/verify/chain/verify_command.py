"""``verify`` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def verify(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verify", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=180)


def verification(folder: Path) -> dict[str, Any]:
    """What ``--output FOLDER`` wrote."""
    loaded: dict[str, Any] = json.loads((folder / "verification.json").read_text())
    return loaded
