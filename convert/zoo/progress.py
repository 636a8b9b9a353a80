"""What a person sees of a running zoo: a live table on a terminal, one plain line a job elsewhere; on stderr."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from convert.zoo.job import GIB, Job
from convert.zoo.result import JobResult, Outcome

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_REFRESH_PER_SECOND = 4
_MOST_RUNNING_SHOWN = 12
_UNKNOWN_JOB_SECONDS = 20.0


@dataclass
class ZooProgress:
    """A watcher of the scheduler. ``slots`` is how many jobs run at once, for the time that is left."""

    console: Console
    total: int
    slots: int
    quiet: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)
    _waiting: set[str] = field(default_factory=set)
    _running: dict[str, tuple[Job, float]] = field(default_factory=dict)
    _ended: Counter[Outcome] = field(default_factory=Counter)
    _took: list[float] = field(default_factory=list)
    _reused: int = 0
    _live: Live | None = None

    def __enter__(self) -> Self:
        if not self.quiet and self.console.is_terminal:
            from rich.live import Live

            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        if kind is KeyboardInterrupt:
            self._print("Stopped. The same command goes on from here: only what was running is lost.")

    def reused(self, results: Sequence[JobResult]) -> None:
        """Results of earlier runs that stand."""
        self._reused = len(results)
        self._ended.update(result.outcome for result in results)
        if results:
            self._print(f"{len(results)} of {self.total} unchanged since an earlier run, reused")

    def queued(self, jobs: Sequence[Job]) -> None:
        """Jobs that are going to run."""
        self._waiting = {job.id for job in jobs}

    def started(self, job: Job) -> None:
        """A job began."""
        self._waiting.discard(job.id)
        self._running[job.id] = (job, time.monotonic())

    def finished(self, result: JobResult) -> None:
        """A job ended for good."""
        self._waiting.discard(result.id)
        self._running.pop(result.id, None)
        self._ended[result.outcome] += 1
        self._took.append(result.seconds)
        done = sum(self._ended.values())
        width = len(str(self.total))
        memory = f"{result.peak_memory_bytes / GIB:5.1f} GiB" if result.peak_memory_bytes else ""
        self._print(
            f"[{done:{width}}/{self.total}] {result.label:<14} {result.id:<32} {result.seconds:7.1f} s {memory}",
            style="" if result.outcome is Outcome.OK else "red",
        )
        why = result.what or (result.conversion.headline if result.conversion else "")
        if result.outcome is not Outcome.OK and why:
            self._print(f"{'':{2 * width + 4}}{why.splitlines()[0]}", style="dim")

    def again(self, job: Job, why: str) -> None:
        """A job goes back to the queue."""
        self._running.pop(job.id, None)
        self._waiting.add(job.id)
        self._print(f"{job.id}: {why}", style="yellow")

    def tick(self) -> None:
        """Draw the live table afresh."""
        if self._live is not None:
            self._live.update(self._table(), refresh=True)

    def _print(self, line: str, style: str = "") -> None:
        if not self.quiet:
            self.console.print(line.rstrip(), style=style or None, markup=False, soft_wrap=True)

    def _table(self) -> RenderableType:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_header=False)
        now = time.monotonic()
        shown = sorted(self._running.values(), key=lambda entry: entry[1])
        for job, started in shown[:_MOST_RUNNING_SHOWN]:
            again = f"attempt {job.attempt}" if job.attempt > 1 else ""
            table.add_row("▸", job.id, f"{now - started:6.0f} s", again, style="cyan")
        if len(shown) > _MOST_RUNNING_SHOWN:
            table.add_row("", f"and {len(shown) - _MOST_RUNNING_SHOWN} more", "", "")
        done, failed = sum(self._ended.values()), sum(self._ended.values()) - self._ended[Outcome.OK]
        table.add_row(
            "", f"{len(shown)} running · {done} of {self.total} done · {failed} not ok · {self._eta(now)}", "", ""
        )
        return table

    def _eta(self, now: float) -> str:
        typical = sum(self._took) / len(self._took) if self._took else _UNKNOWN_JOB_SECONDS
        left = sum(self.seconds.get(job_id, typical) for job_id in self._waiting)
        for job, started in self._running.values():
            left += max(0.0, self.seconds.get(job.id, typical) - (now - started))
        minutes, seconds = divmod(int(left / max(1, self.slots)), 60)
        return f"about {minutes}:{seconds:02d} left"
