"""Peak memory of a run: this process, everything under it and its workers, sampled."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Set
from types import TracebackType
from typing import Self

from verify.process_tree import descendants, proportional_bytes, resident_bytes

SAMPLING_SECONDS = 0.25
PROPORTIONAL_SAMPLING_SECONDS = 5.0
"""Adding up what processes share takes the kernel ten milliseconds for each with a framework in it."""


class PeakMemory:
    """A context manager that samples the memory of the process tree and of ``workers``; ``bytes`` is the highest.

    It sums resident sets: pages that processes share count once for each, so the figure errs on the high side. Where
    many processes were forked from a few, ``proportional`` counts shared pages once, and samples less often.
    """

    def __init__(self, workers: Callable[[], Set[int]] = frozenset, *, proportional: bool = False) -> None:
        self.bytes = 0
        self._measure = proportional_bytes if proportional else resident_bytes
        self._interval_s = PROPORTIONAL_SAMPLING_SECONDS if proportional else SAMPLING_SECONDS
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
        while not self._done.wait(self._interval_s):
            family = {os.getpid(), *descendants(os.getpid()), *self._workers()}
            self.bytes = max(self.bytes, self._measure(family))
