"""The output folder of a zoo: what lies where, and the lock that keeps a second run out."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from convert.zoo.checkout import Checkout
from verify.errors import InputError

_LOCK_WAIT_SECONDS = 20.0
"""How long a killed run's wrappers may take to end what they had running."""


@dataclass(frozen=True)
class Places:
    """Paths below a zoo's output folder."""

    output: Path

    @property
    def jobs(self) -> Path:
        """``<id>/job.json``, ``result.json``, ``log.txt`` of every job."""
        return self.output / "jobs"

    @property
    def models(self) -> Path:
        """``<id>/``: what ``convert pth2tflite`` would have published."""
        return self.output / "models"

    @property
    def store(self) -> Path:
        """The store, where none is named."""
        return self.output / "store"

    @property
    def scratch(self) -> Path:
        """Where jobs work, on the file system of the store, so that results move there without a copy."""
        return self.output / "scratch"

    @property
    def hashes(self) -> Path:
        """Hashes of input files by size and time, so that an unchanged zoo is known in seconds."""
        return self.output / "hashes.json"

    def checkout(self, job_id: str) -> Checkout:
        """The output folder of one model."""
        return Checkout(self.models / job_id, self.jobs / job_id / "checkout.json")

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the folder for one run; gives the descriptor that holds it. Raises ``InputError`` when another has it.

        A run that was killed has the lock until the last of its processes is gone.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.output / ".lock", os.O_RDWR | os.O_CREAT)
        try:
            _take(descriptor, self.output)
            yield descriptor
        finally:
            os.close(descriptor)


def _take(descriptor: int, output: Path) -> None:
    deadline = time.monotonic() + _LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise InputError(
                    f"another run works in {output.name}/", fix="wait for it, or name another folder with --output"
                ) from None
            time.sleep(0.1)
        else:
            return
