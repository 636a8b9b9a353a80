"""What went wrong, where, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass

from verify.errors import ExportFailed

UNREGISTERED = "Layers in a plain Python list"
RANDOM = "A random number in forward"
DROPOUT = "Dropout that stays on"
BATCH_STATISTICS = "Batch norm that normalises by the batch"
STATE = "A buffer that forward changes"
FIXED_BATCH = "A batch size written into the code"
DEVICE = "A device written into the code"
NUMPY = "NumPy in forward"
NOT_TENSORS = "Outputs that are no tensors"
MISSING_ATTRIBUTE = "A layer that forward uses and the class does not make"
CONTAINER_INPUT = "A dict or list as input"
ARGUMENTS = "Arguments that forward takes by name, or any number of"
DTYPES = "float64 beside float32"
GRADIENT = "A gradient taken in forward"
BRANCH = "A branch on the values in the data"

TITLES = (
    UNREGISTERED,
    RANDOM,
    DROPOUT,
    BATCH_STATISTICS,
    STATE,
    FIXED_BATCH,
    DEVICE,
    NUMPY,
    MISSING_ATTRIBUTE,
    CONTAINER_INPUT,
    ARGUMENTS,
    DTYPES,
    GRADIENT,
    NOT_TENSORS,
    BRANCH,
)


@dataclass(frozen=True)
class Explanation:
    """``title`` is a heading of ``docs/troubleshooting.md``; ``line`` is where in the user's code, if that is known."""

    title: str
    what: str
    fix: str
    line: str | None = None

    def error(self) -> ExportFailed:
        """As the error that a user reads."""
        where = (f"at {self.line}",) if self.line else ()
        return ExportFailed(self.what, fix=self.fix, context=(*where, see(self.title)))


def see(title: str) -> str:
    """Where a user reads on."""
    return f"more in docs/troubleshooting.md: {title}"
