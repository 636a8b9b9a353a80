"""One exporter's failure, before the other has been tried."""

from __future__ import annotations

_LONGEST_REASON = 300


class AttemptFailed(Exception):
    """An exporter could not write the model. ``source_line`` is where in the user's code, when that is known.

    ``size_dependent`` says that it might be written for fewer sizes of its named axes.
    """

    def __init__(
        self,
        reason: str,
        source_line: str | None = None,
        *,
        data_dependent: bool = False,
        size_dependent: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.source_line = source_line
        self.data_dependent = data_dependent
        self.size_dependent = size_dependent

    def __str__(self) -> str:
        return f"{self.reason} ({self.source_line})" if self.source_line else self.reason


def first_line(error: BaseException) -> str:
    """An error's type and the first line of its message."""
    message = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
