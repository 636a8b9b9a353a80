"""Running a viewer until the user stops it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import webbrowser
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from verify.errors import ViewerFailed
from verify.viewers.installed import Installed, viewer_of

_ADDRESS = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])\S*")
_LINES_TOLD = 5
_SECONDS_TO_END = 5.0


def can_be_stopped() -> bool:
    """Whether somebody is there to press Ctrl-C: a viewer that a CI job starts would never end."""
    return sys.stdin is not None and sys.stdin.isatty() and not os.environ.get("CI")


def show(model: Path, node_data: Sequence[Path], viewers: Sequence[Installed], say: Callable[[str], None]) -> None:
    """Serve a model by the first of the viewers that reads it, until Ctrl-C or the viewer's end; then it is gone.

    ``say`` is told the address; a browser is opened where there is a display. Raises ``ViewerFailed`` when the viewer
    ends before it shows anything, ``MissingDependency`` when none reads the model.
    """
    file = model / "saved_model.pb" if model.is_dir() else model
    chosen = viewer_of(file, viewers)
    line = chosen.command_line(file, node_data)
    say(f"starting {chosen.viewer.name}; Ctrl-C stops it")
    process = subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        told = _announced(process, f"{file.name} is at", say)
    except KeyboardInterrupt:
        return
    finally:
        _end(process)
    if told is not None and process.returncode:  # one with a window of its own tells no address
        raise ViewerFailed(
            f"{chosen.viewer.name} ended with {process.returncode} and showed nothing",
            fix=f"try it alone: {' '.join(line)}",
            context=told,
        )


def _announced(process: subprocess.Popen[str], what: str, say: Callable[[str], None]) -> tuple[str, ...] | None:
    """Read what a viewer prints until it ends; its last lines, if no address was among them."""
    last: deque[str] = deque(maxlen=_LINES_TOLD)
    address = None
    for printed in process.stdout or ():
        last.append(printed.strip())
        if address is None and (address := _ADDRESS.search(printed)) is not None:
            say(f"{what} {address[0]}")
            if _has_display():
                webbrowser.open(address[0])
    process.wait()
    return None if address is not None else tuple(filter(None, last))


def _has_display() -> bool:
    """Without one, ``webbrowser`` starts a browser in the terminal, which hides the address."""
    return sys.platform in {"darwin", "win32"} or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdout is not None:
        process.stdout.close()
    process.terminate()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
