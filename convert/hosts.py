"""The workers of one run: a process each for torch, TensorFlow and the runtimes, started when first wanted."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from convert.stages.base import Host
from verify.worker import Limits, Worker

_PRELOAD = {
    Host.TORCH: ("torch", "verify.checkpoint"),
    Host.TENSORFLOW: ("tensorflow",),
    Host.RUNTIME: ("numpy", "onnxruntime"),
}


@dataclass(frozen=True)
class WarmHosts:
    """Fork servers that hold a host's imports ready, by the path of their socket; a host without one starts cold."""

    sockets: dict[Host, Path] = field(default_factory=dict)


class Hosts:
    """A context manager over the workers; on an exception every process group is killed."""

    def __init__(self, log_path: Path, limits: Limits, warm: WarmHosts | None = None) -> None:
        self._log_path = log_path
        self._limits = limits
        self._warm = warm or WarmHosts()
        self._workers: dict[Host, Worker] = {}

    def warm(self, *hosts: Host) -> None:
        """Start workers now, so that their imports overlap what comes before their first job."""
        for host in hosts:
            self.worker(host)

    def worker(self, host: Host) -> Worker:
        """The running worker of that host."""
        if host not in self._workers:
            self._workers[host] = Worker(
                host.value,
                log_path=self._log_path,
                preload=_PRELOAD[host],
                limits=self._limits,
                fork_server=self._warm.sockets.get(host),
            )
        return self._workers[host]

    def started_pids(self) -> set[int]:
        """The running workers; those of a fork server are not below us."""
        pids = (worker.started_pid for worker in list(self._workers.values()))
        return {pid for pid in pids if pid is not None}

    def close(self, host: Host) -> None:
        """End a worker after its queued jobs and give its memory back; it starts afresh if wanted again."""
        worker = self._workers.pop(host, None)
        if worker is not None:
            worker.close()

    def replace_dead(self) -> None:
        """A worker that died, and answers every job with that, starts afresh if wanted again."""
        for host in [host for host, worker in self._workers.items() if worker.dead]:
            self.close(host)

    def limit_seconds(self, seconds: float) -> None:
        """From now on, workers that start give a job no longer than this, or than it was before."""
        before = self._limits.timeout_s
        self._limits = replace(self._limits, timeout_s=seconds if before is None else min(before, seconds))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        closing = ExitStack()
        for worker in self._workers.values():
            closing.push(worker)
        self._workers.clear()
        closing.__exit__(kind, error, traceback)
