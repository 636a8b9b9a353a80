"""A control group around a slot, where the system lets us make one: the kernel then keeps the limits, to the page.

Both generations are used as they are found (cgroups(7)). The group is made below our own, so that whatever bounds us
bounds it too. Without one the watchdog keeps the limits alone, ten times a second.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from convert.zoo.owner import is_abandoned, owner_tag

_PREFIX = "pth2tflite-"
_CONTROLLERS = frozenset({"memory", "pids"})
_ATTEMPTS = 100
_PAUSE_SECONDS = 0.01
_ESCAPED_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class ControlGroup:
    """``folders`` are the group's, one for each hierarchy it is in: one in the newer generation, else up to two."""

    folders: tuple[Path, ...]

    @property
    def join(self) -> tuple[Path, ...]:
        """Files into which a process writes ``0`` to be in the group, and all that it starts."""
        return tuple(folder / "cgroup.procs" for folder in self.folders)

    def limit(self, memory_bytes: int, tasks: int) -> None:
        """Set the limits; a task is a thread."""
        for name, limit in (
            ("memory.max", memory_bytes),
            ("memory.swap.max", 0),
            ("memory.limit_in_bytes", memory_bytes),
            ("pids.max", tasks),
        ):
            self._write(name, str(limit))

    def processes(self) -> set[int]:
        """All that are in the group now."""
        found: set[int] = set()
        for file in self.join:
            with contextlib.suppress(OSError):
                found.update(map(int, file.read_text().split()))
        return found

    def forbid_new_tasks(self) -> None:
        """No process of the group can fork any more, until :meth:`limit`."""
        self._write("pids.max", "0")

    def kills_for_memory(self) -> int:
        """How many processes of the group the kernel has killed because it was at its limit."""
        for name in ("memory.events", "memory.oom_control"):
            for folder in self.folders:
                with contextlib.suppress(OSError):
                    found = re.search(r"^oom_kill (\d+)$", (folder / name).read_text(), re.MULTILINE)
                    if found:
                        return int(found[1])
        return 0

    def remove(self) -> None:
        """Remove the group; it must be empty, or is left for the next start."""
        for folder in self.folders:
            _remove(folder)

    def _write(self, name: str, text: str) -> None:
        for folder in self.folders:
            if (folder / name).exists():
                with contextlib.suppress(OSError):  # a limit below what is in use: the watchdog has seen that, too
                    (folder / name).write_text(text)


def make_group() -> ControlGroup | None:
    """A new group for this process, or ``None`` where that is not allowed. Those of killed processes are removed."""
    folders = []
    for parent in _parents():
        _remove_abandoned(parent)
        folder = parent / f"{_PREFIX}{owner_tag()}"
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            if os.access(folder / "cgroup.procs", os.W_OK):
                folders.append(folder)
    return ControlGroup(tuple(folders)) if folders else None


def _parents() -> list[Path]:
    """Where groups below our own can be made: of memory and of tasks."""
    ours = _own_paths()
    found = []
    for mount in _mounts():
        controllers = {""} if mount.newer else mount.controllers & _CONTROLLERS
        found += [mount.folder_of(ours[controller]) for controller in sorted(controllers & ours.keys())]
    return [parent for parent in found if parent is not None and _gives_limits(parent)]


def _gives_limits(parent: Path) -> bool:
    """In the newer generation a group's children have only the controllers that it hands on."""
    handed_on = parent / "cgroup.subtree_control"
    return not handed_on.exists() or "memory" in handed_on.read_text().split()


@dataclass(frozen=True)
class _Mount:
    root: str
    point: Path
    controllers: frozenset[str]
    newer: bool

    def folder_of(self, group: str) -> Path | None:
        """A group's folder; a container may see a part of the hierarchy only."""
        inside = group.removeprefix(self.root.rstrip("/")).lstrip("/")
        folder = self.point / inside
        return folder if folder.is_dir() else None


def _own_paths() -> dict[str, str]:
    """Our group by controller; the newer generation's has no controller's name."""
    found = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _mounts() -> list[_Mount]:
    found = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            kind, _, options = after.split(" ", 2)
            if kind in {"cgroup", "cgroup2"}:
                root, point = (_unescape(field) for field in before.split(" ")[3:5])
                found.append(_Mount(root, Path(point), frozenset(options.split(",")), kind == "cgroup2"))
    return found


def _unescape(field: str) -> str:
    return _ESCAPED_OCTAL.sub(lambda found: chr(int(found[1], 8)), field)


def _remove_abandoned(parent: Path) -> None:
    """Below our own group and those beside it: each login and each step of a cluster's queue has one of its own."""
    for folder in (*parent.glob(f"{_PREFIX}*"), *parent.parent.glob(f"*/{_PREFIX}*")):
        if is_abandoned(folder.name.removeprefix(_PREFIX)):
            _remove(folder)


def _remove(folder: Path) -> None:
    """What still runs in there was left by a wrapper that was killed itself."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            for process in (folder / "cgroup.procs").read_text().split():
                if int(process) != os.getpid():
                    with contextlib.suppress(OSError):
                        os.kill(int(process), signal.SIGKILL)
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # a process in it is still ending
            time.sleep(_PAUSE_SECONDS)
        else:
            return
