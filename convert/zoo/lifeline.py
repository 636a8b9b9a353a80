"""Ends a wrapper when whoever started it is gone, or asks it to end."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from types import FrameType

_LOOKING_SECONDS = 0.5


def end_without_parent(end: Callable[[], None]) -> None:
    """Call ``end`` in a thread once the parent process is gone or a ``SIGTERM`` or ``SIGINT`` has come; once only.

    From the main thread. The handlers that were there before are gone.
    """
    woken, wake = os.pipe()
    parent = os.getppid()

    def signalled(_number: int, _frame: FrameType | None) -> None:
        os.write(wake, b"!")

    def wait() -> None:
        while not select.select([woken], [], [], _LOOKING_SECONDS)[0] and os.getppid() == parent:
            pass
        end()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signalled)
    threading.Thread(target=wait, daemon=True, name="lifeline").start()
