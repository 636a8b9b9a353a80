"""The processes of a verification: one each for torch, TensorFlow and the runtimes; those needed start at once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from verify.artifact import Format
from verify.chain.entries import Entry
from verify.errors import InfrastructureError, WorkerDied
from verify.worker import Limits, Worker

_NAMES = {Format.CHECKPOINT: "torch", Format.SAVED_MODEL: "tensorflow"}
_PRELOAD = {
    "torch": ("torch", "verify.checkpoint.opening"),
    "tensorflow": ("tensorflow",),
    "runtime": ("numpy", "pydantic"),
}
_LOG = "verify.log"


class Workers:
    """A worker a framework, each started when first asked for, or ahead of that by :meth:`warm`."""

    def __init__(self, stack: ExitStack, log: Path, limits: Limits) -> None:
        self._stack, self._log, self._limits = stack, log, limits
        self._started: dict[str, Worker] = {}

    def of(self, kind: Format) -> Worker:
        """The worker that runs models of a format, a new one after a death; samples are prepared in that of TFLite."""
        name = _NAMES.get(kind, "runtime")
        if name not in self._started or self._started[name].dead:
            worker = Worker(name, log_path=self._log, preload=_PRELOAD[name], limits=self._limits)
            self._started[name] = self._stack.enter_context(worker)
        return self._started[name]

    def warm(self, kinds: Iterable[Format]) -> None:
        """Start what these formats need now, so that their imports overlap."""
        for kind in (*kinds, Format.TFLITE):
            self.of(kind)


def ended_by(entry: Entry, error: WorkerDied) -> WorkerDied:
    """The same death, with the model that caused it in front."""
    runtimes = {Format.ONNX: "onnxruntime", Format.SAVED_MODEL: "TensorFlow", Format.TFLITE: "LiteRT"}
    runtime = runtimes.get(entry.format, "PyTorch")
    return WorkerDied(
        f"{entry.name} ended the process that ran it in {runtime}: {error.what}",
        fix="the file is broken in a way that the runtime does not check: make it again, and do not ship it",
        context=error.context,
        signal=error.signal,
    )


@contextmanager
def open_workers(limits: Limits) -> Iterator[tuple[Workers, Path]]:
    """Workers and a temporary folder for them; when the machine failed, their log is kept and named in the error."""
    folder = Path(tempfile.mkdtemp(prefix="verify-"))
    try:
        with ExitStack() as stack:
            yield Workers(stack, folder / _LOG, limits), folder
    except InfrastructureError as error:
        log = folder / _LOG
        if log.exists():
            kept = folder.with_suffix(".log")
            shutil.copyfile(log, kept)
            error.within(f"log: {kept}")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
