"""Jobs on this machine: a wrapper process a slot, each kept warm, as many at once as cores and memory allow."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from convert.zoo.engines.base import Finished
from convert.zoo.files import job_path, read_result, result_path, write_job
from convert.zoo.job import GIB, Job

SLOT_RESERVE_BYTES = int(1.5 * GIB)
"""What a slot's fork servers hold: torch's and TensorFlow's imports, once for all jobs that run in it."""

_ENDING_SECONDS = 10.0


@dataclass
class _Slot:
    """A wrapper process that takes one job after another."""

    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    answers: IO[bytes]
    job: Job | None = None


@dataclass
class LocalEngine:
    """Runs jobs in ``slots`` wrappers; what runs together stays within ``memory_bytes`` and ``slots`` cores.

    ``jobs_folder`` gets ``<id>/job.json`` and ``<id>/result.json``. ``held_open`` are file descriptors that live as
    long as the last wrapper does, so that a lock outlasts a killed scheduler by the time its jobs need to end.
    """

    jobs_folder: Path
    slots: int
    memory_bytes: int
    cold: bool = False
    held_open: tuple[int, ...] = ()
    _open: list[_Slot] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    @property
    def largest_job_bytes(self) -> int:
        """All the memory there is, less what one slot holds for itself."""
        return self.memory_bytes - SLOT_RESERVE_BYTES

    def accepts(self, job: Job) -> bool:
        """Whether cores and memory are free. A job that asks for more cores than there are gets all of them."""
        running = [slot.job for slot in self._open if slot.job is not None]
        cores = sum(min(each.cores, self.slots) for each in running) + min(job.cores, self.slots)
        memory = sum(each.limits.memory_bytes for each in running) + job.limits.memory_bytes
        slots = max(len(self._open), len(running) + 1)
        return cores <= self.slots and memory + slots * SLOT_RESERVE_BYTES <= self.memory_bytes

    def start(self, job: Job) -> None:
        """Give the job to an idle wrapper; a new one is started when all are busy."""
        write_job(job, self.jobs_folder)
        slot = next((slot for slot in self._open if slot.job is None), None) or self._new_slot()
        slot.job = job
        request = {"job": str(job_path(self.jobs_folder, job.id)), "result": str(result_path(self.jobs_folder, job.id))}
        with contextlib.suppress(BrokenPipeError):  # a dead wrapper shows as the end of its answers
            slot.requests.write(json.dumps(request).encode() + b"\n")
            slot.requests.flush()

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        """Jobs whose wrapper answered; a wrapper that died had its machine's fault, not its job's."""
        return [self._answered(key.data) for key, _ in self._selector.select(timeout_s)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        slots, self._open = self._open, []
        for slot in slots:
            with contextlib.suppress(BrokenPipeError):
                slot.requests.close()
        for slot in slots:
            _end(slot)
        self._selector.close()

    def _new_slot(self) -> _Slot:
        self.jobs_folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-P", "-m", "convert.zoo.wrapper", "--serve", *(["--cold"] if self.cold else [])]
        with (self.jobs_folder / "wrapper.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                pass_fds=self.held_open,
                env=_environment(),
            )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("asked for pipes")
        slot = _Slot(process, process.stdin, process.stdout)
        self._open.append(slot)
        self._selector.register(slot.answers, selectors.EVENT_READ, slot)
        return slot

    def _answered(self, slot: _Slot) -> Finished:
        job = slot.job
        if job is None:
            raise RuntimeError("a wrapper spoke without being asked")
        line = slot.answers.readline()
        if line.endswith(b"\n"):
            slot.job = None
            return Finished(job.id, read_result(Path(json.loads(line)["result"])))
        self._selector.unregister(slot.answers)
        self._open.remove(slot)
        _end(slot)
        return Finished(job.id, None, lost=f"its wrapper ended with status {slot.process.returncode}")


def _end(slot: _Slot) -> None:
    """A wrapper whose requests have ended kills all it started and leaves; one that does not is killed."""
    try:
        slot.process.wait(_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(slot.process.pid, signal.SIGKILL)
        slot.process.wait()
    slot.answers.close()


def _environment() -> dict[str, str]:
    """Ours, with our own import path: ``-P`` keeps the folder we stand in off the wrapper's."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
