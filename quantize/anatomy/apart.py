"""The anatomy measured in a process of its own, for it is told of a file that is made already: it may not cost it."""

from __future__ import annotations

import tempfile
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from quantize.anatomy.job import anatomy_of
from quantize.recipe import Recipe
from verify.errors import ToolError
from verify.limits import Limits
from verify.report.anatomy import Anatomy
from verify.signature import Signature
from verify.worker import JobOutcome, Worker

MOST_SECONDS = 300.0
"""A file is worth waiting for longer than what is said of it."""

LITERT = ("ai_edge_litert.interpreter", "pydantic")
"""What every job on a TFLite file imports, besides its own module."""


class AnatomyApart:
    """The process, which imports what it needs while the file is made, and looks at it while that is checked."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._pending: Future[JobOutcome[Anatomy]] | None = None
        self._failure: OSError | None = None

    def __enter__(self) -> Self:
        log = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="anatomy-"))) / "log"
        preload, limits = (anatomy_of.__module__, *LITERT), Limits(timeout_s=MOST_SECONDS)
        try:
            self._worker = self._stack.enter_context(Worker("anatomy", log_path=log, preload=preload, limits=limits))
        except OSError as error:
            self._failure = error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def begin(
        self, model: Path, int8: Path, *, recipe: Recipe, calibration: Path, signature: Signature, max_samples: int
    ) -> None:
        """Have :func:`quantize.anatomy.job.anatomy_of` run; its answer is to be asked for."""
        if self._failure is None:
            self._pending = self._worker.submit(
                anatomy_of,
                model=model,
                int8=int8,
                recipe=recipe,
                calibration=calibration,
                signature=signature,
                max_samples=max_samples,
            )

    def answer(self) -> tuple[Anatomy | None, tuple[str, ...]]:
        """What it found, and notes; where that fails, aborts or takes too long, only a note.

        LiteRT aborts the process where an op does not suit its kernel.
        """
        try:
            if self._failure is not None:
                raise self._failure
            return None if self._pending is None else self._pending.result().value, ()
        except (ToolError, OSError) as error:
            return None, (f"anatomy not measured: {error.what if isinstance(error, ToolError) else error}",)


def anatomy_apart(
    model: Path, int8: Path, *, recipe: Recipe, calibration: Path, signature: Signature, max_samples: int
) -> tuple[Anatomy | None, tuple[str, ...]]:
    """As :func:`quantize.anatomy.job.anatomy_of`, and notes, as :meth:`AnatomyApart.answer` has them."""
    with AnatomyApart() as apart:
        apart.begin(model, int8, recipe=recipe, calibration=calibration, signature=signature, max_samples=max_samples)
        return apart.answer()
