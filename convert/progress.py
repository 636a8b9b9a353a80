"""Progress on stderr: one line a stage with its time, a spinner meanwhile on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

from convert.pipeline import Step
from convert.stages.base import Stage
from verify.artifact import Artifact, size_bytes
from verify.report.types import StageReport


class Progress:
    """An observer that a person watches. ``console`` is stderr; nothing is written when ``quiet``."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def say(self, doing: str) -> None:
        """What goes on now, until the next line; shown on a terminal only."""
        self._stop()
        if not self._quiet and self._console.is_terminal:
            self._status = self._console.status(f"{doing} …", spinner="dots")
            self._status.start()

    def line(self, text: str, *, seconds: float | None = None, detail: str = "") -> None:
        """One finished thing."""
        self._stop()
        if self._quiet:
            return
        took = f"{seconds:6.1f} s" if seconds is not None else " " * 8
        self._console.print(f"  {text:<30}{took}  {detail}".rstrip(), markup=False, soft_wrap=True)

    def started(self, stage: Stage) -> None:
        """The pipeline began a stage."""
        self.say(stage.title)

    def finished(self, step: Step, artifact: Artifact, report: StageReport, remaining: Sequence[Stage]) -> None:
        """The pipeline ended a stage."""
        del remaining
        detail = f"{artifact.path.name}  {size_bytes(artifact.path) / 1e6:.1f} MB"
        if report.reused:
            self.line(step.stage.title, detail=f"{detail}  (unchanged, reused)")
        else:
            self.line(step.stage.title, seconds=report.seconds, detail=detail)

    def note(self, text: str) -> None:
        """Something about the line above that the user should know."""
        self.line("", detail=f"note: {text}")

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
