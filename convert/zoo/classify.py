"""From the error that ended a job to its outcome."""

from __future__ import annotations

from convert.zoo.result import Outcome
from verify.errors import (
    ConversionError,
    InputError,
    OutOfMemory,
    TimeLimitExceeded,
    ToolError,
    WorkerDied,
)


def outcome_of(error: ToolError) -> tuple[Outcome, int | None]:
    """The outcome, and of ``signal`` its number: of the job's own process or of one of its workers.

    A process that was killed (``SIGKILL``) for no reason of ours ran out of memory: the kernel does that, and
    :class:`verify.worker.Worker` says so. Whatever is not known to be the model's fault is the machine's.
    """
    if isinstance(error, WorkerDied) and error.signal is not None:
        return Outcome.SIGNAL, error.signal
    for kind, outcome in _OUTCOMES.items():
        if isinstance(error, kind):
            return outcome, None
    return Outcome.INFRASTRUCTURE, None


_OUTCOMES: dict[type[ToolError], Outcome] = {
    InputError: Outcome.BAD_INPUT,
    ConversionError: Outcome.CONVERSION,
    OutOfMemory: Outcome.OOM,
    TimeLimitExceeded: Outcome.TIMEOUT,
}
