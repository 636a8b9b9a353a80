"""The anatomy measured in a process of its own, for it is told of a file that is made already: it may not cost it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from quantize.anatomy.job import anatomy_of
from quantize.recipe import Recipe
from verify.errors import ToolError
from verify.limits import Limits
from verify.report.anatomy import Anatomy
from verify.signature import Signature
from verify.worker import Worker

MOST_SECONDS = 300.0
"""A file is worth waiting for longer than what is said of it."""


def anatomy_apart(
    model: Path, int8: Path, *, recipe: Recipe, calibration: Path, signature: Signature, max_samples: int
) -> tuple[Anatomy | None, tuple[str, ...]]:
    """As :func:`quantize.anatomy.job.anatomy_of`, and notes; where that fails, aborts or takes too long, only a note.

    LiteRT aborts the process where an op does not suit its kernel.
    """
    with tempfile.TemporaryDirectory(prefix="anatomy-") as scratch:
        log = Path(scratch) / "log"
        try:
            with Worker("anatomy", log_path=log, limits=Limits(timeout_s=MOST_SECONDS)) as worker:
                found = worker.run(
                    anatomy_of,
                    model=model,
                    int8=int8,
                    recipe=recipe,
                    calibration=calibration,
                    signature=signature,
                    max_samples=max_samples,
                )
        except (ToolError, OSError) as error:
            return None, (f"anatomy not measured: {error.what if isinstance(error, ToolError) else error}",)
    return found.value, ()
