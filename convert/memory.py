"""Peak memory of a run: this process, everything under it and its workers, sampled."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Set
from types import TracebackType
from typing import Self

from verify.process_tree import descendants, resident_bytes

SAMPLING_SECONDS = 0.25


class PeakMemory:
    """A context manager that samples the resident set of the process tree and of ``workers``; ``bytes`` is the highest.

    Pages that processes share are counted once for each of them, so the figure errs on the high side.
    """

    def __init__(self, workers: Callable[[], Set[int]] = frozenset) -> None:
        self.bytes = 0
        self._workers = workers
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True, name="peak-memory")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(SAMPLING_SECONDS):
            family = {os.getpid(), *descendants(os.getpid()), *self._workers()}
            self.bytes = max(self.bytes, resident_bytes(family))
