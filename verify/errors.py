"""What can go wrong, typed, each with the exit code of the command that meets it.

Every error says what was given, what was expected and the fix. An error crosses a process boundary as
JSON (:meth:`ToolError.to_json`, :func:`error_from_json`) and is raised again on the other side as the same type.
"""

from __future__ import annotations

import contextlib
import importlib
from enum import IntEnum
from typing import ClassVar, NotRequired, TypedDict


class ExitCode(IntEnum):
    """What a command's exit status means, the same for all three commands."""

    PASS = 0
    PARITY_FAILED = 1
    BAD_INPUT = 2
    CONVERSION_FAILED = 3
    INFRASTRUCTURE = 4
    INCONCLUSIVE = 5


class ErrorJson(TypedDict):
    """An error as it crosses a process boundary."""

    type: str
    module: str
    """Where the type is defined: who reads the error may not have imported it."""
    what: str
    fix: str
    context: list[str]
    signal: NotRequired[int]
    """Of a :class:`WorkerDied`, where there was one."""


class ToolError(Exception):
    """Base of every error this project raises on purpose.

    ``what`` says what was given and what was expected; ``fix`` says what the user can do; ``context`` is where it
    happened, outermost last (the stage, its input, what had succeeded).
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INFRASTRUCTURE

    def __init__(self, what: str, *, fix: str = "", context: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.context = context

    def __str__(self) -> str:
        lines = [self.what, *(f"  {line}" for line in self.context)]
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

    def within(self, *context: str) -> ToolError:
        """The same error, with what surrounded it appended to its context."""
        self.context = (*self.context, *context)
        return self

    def to_json(self) -> ErrorJson:
        return {
            "type": type(self).__name__,
            "module": type(self).__module__,
            "what": self.what,
            "fix": self.fix,
            "context": list(self.context),
        }


class InputError(ToolError):
    """Bad usage or bad input: the user's side can mend it."""

    exit_code = ExitCode.BAD_INPUT


class CheckpointUnreadable(InputError):
    """The file is no checkpoint, or is truncated, empty or corrupt."""


class UnsafeCheckpoint(InputError):
    """Loading the file would execute code from it, and nobody said it may."""


class ArchitectureUnknown(InputError):
    """No architecture, or more than one, fits the tensors of a bare state_dict."""


class StateDictMismatch(InputError):
    """The tensors do not fit the architecture that was asked for."""


class NonFiniteWeights(InputError):
    """A weight is NaN or infinite."""


class InputSpecInvalid(InputError):
    """An input's name, shape, dtype or range is missing or does not fit the model."""


class SamplesInvalid(InputError):
    """Samples for calibration or judging are missing, too few, or do not fit the model's inputs."""


class ModelUnreadable(InputError):
    """An ONNX, SavedModel or TFLite file cannot be opened."""


class ReportUnreadable(InputError):
    """A file is no report, or one of another schema version."""


class LockInvalid(InputError):
    """A lock file of accepted drift is broken, or of another schema version; the message says where."""


class ConversionError(ToolError):
    """A stage could not produce its artifact."""

    exit_code = ExitCode.CONVERSION_FAILED


class ExportFailed(ConversionError):
    """Neither of torch's exporters could write the model as ONNX."""


class UnsupportedOp(ConversionError):
    """A lowering met an ONNX op, or a use of one, that it does not know."""


class LoweringFailed(ConversionError):
    """An ONNX graph could not be turned into a SavedModel or a TFLite file."""


class OpNotRunnable(ConversionError):
    """An op of a model cannot be run by itself."""


class QuantizationFailed(ConversionError):
    """The quantizer refused the model or its ranges."""


class NotFullyInt8(QuantizationFailed):
    """Every op was to be int8, and some cannot be."""


class ContractBroken(ConversionError):
    """A stage returned an artifact that does not keep what the stage promises."""


class InfrastructureError(ToolError):
    """The machine, not the model: memory, time, a dead process."""


class WorkerDied(InfrastructureError):
    """A worker process ended without an answer: by the signal of that number, where there was one."""

    def __init__(self, what: str, *, fix: str = "", context: tuple[str, ...] = (), signal: int | None = None) -> None:
        super().__init__(what, fix=fix, context=context)
        self.signal = signal

    def to_json(self) -> ErrorJson:
        data = super().to_json()
        if self.signal is not None:
            data["signal"] = self.signal
        return data


class OutOfMemory(InfrastructureError):
    """A worker went over its memory limit, or the kernel killed it."""


class TimeLimitExceeded(InfrastructureError):
    """A job ran longer than its limit."""


class TooManyProcesses(InfrastructureError):
    """A job started more processes than its limit."""


class LogTooLong(InfrastructureError):
    """A job printed more than its limit."""


class DiskFull(InfrastructureError):
    """A disk, or the user's share of it, has no room left for a file."""


class ViewerFailed(InfrastructureError):
    """A viewer of models ended before it showed one."""


class MissingDependency(InfrastructureError):
    """An optional library is needed for this and is not installed."""


def _all_types(root: type[ToolError]) -> dict[str, type[ToolError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _all_types(child)
    return found


def error_from_json(data: ErrorJson) -> ToolError:
    """The error that :meth:`ToolError.to_json` described, as its own type again."""
    with contextlib.suppress(ImportError):  # of a test, or of a newer version
        importlib.import_module(data["module"])
    kind = _all_types(ToolError).get(data["type"], ToolError)
    error = kind(data["what"], fix=data["fix"], context=tuple(data["context"]))
    if isinstance(error, WorkerDied):
        error.signal = data.get("signal")
    return error
