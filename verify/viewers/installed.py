"""Which viewers there are on this machine, and which of them reads a file."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verify.errors import InputError, MissingDependency

_ONNX_COMMAND = "onnxvis"
_ONNX_PACKAGE = "model-explorer-onnx"


@dataclass(frozen=True)
class Viewer:
    """A program that serves a model's graph as a page: its command, and what pip calls it."""

    name: str
    command: str
    package: str
    suffixes: frozenset[str]
    """Of the files it reads by itself."""


MODEL_EXPLORER = Viewer("Model Explorer", "model-explorer", "ai-edge-model-explorer", frozenset({".tflite"}))
"""Of a SavedModel it shows "No graphs" (0.1.34): its first adapter finds none in what tf.Module writes."""

NETRON = Viewer(
    "Netron",
    "netron",
    "netron",
    frozenset({".tflite", ".onnx", ".pb", ".pth", ".pt", ".pt2", ".safetensors", ".npz"}),
)
VIEWERS = (MODEL_EXPLORER, NETRON)


@dataclass(frozen=True)
class Installed:
    """A viewer and its executable."""

    viewer: Viewer
    executable: Path

    def reads(self, file: Path) -> bool:
        """Whether it shows files of this kind; Model Explorer needs an adapter of another package for ONNX."""
        return file.suffix in self.viewer.suffixes or (file.suffix == ".onnx" and self._with_onnx())

    def command_line(self, file: Path, node_data: Sequence[Path]) -> list[str]:
        """How it is called to show a file, coloured by node data where it can, without opening a browser."""
        if self.viewer is NETRON:
            return [str(self.executable), str(file.absolute())]
        paths = [str(path.absolute()) for path in (file, *node_data)]
        if any("," in path for path in paths):
            raise InputError(
                f"Model Explorer takes {file.absolute()} for several files: a comma separates them",
                fix="name the file without a comma, or show it with --viewer netron",
            )
        line = [str(self.executable), paths[0], "--no_open_in_browser"]
        if node_data:
            line.append(f"--node_data_paths={','.join(paths[1:])}")
        return [*line, "--extensions=model_explorer_onnx"] if file.suffix == ".onnx" else line

    def _with_onnx(self) -> bool:
        return self.viewer is MODEL_EXPLORER and (self.executable.parent / _ONNX_COMMAND).exists()


def viewers_named(name: str | None) -> tuple[Viewer, ...]:
    """The viewer of that command, or all, the one to prefer first; raises ``InputError`` for an unknown name."""
    found = tuple(viewer for viewer in VIEWERS if name in {None, viewer.command})
    if not found:
        raise InputError(
            f"--viewer {name}: expected one of {', '.join(viewer.command for viewer in VIEWERS)}",
            fix=f"--viewer {NETRON.command}",
        )
    return found


def installed(wanted: Sequence[Viewer]) -> tuple[Installed, ...]:
    """Those of the viewers that are on the path, or beside this interpreter; raises ``MissingDependency`` for none."""
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    found = [(viewer, shutil.which(viewer.command, path=places)) for viewer in wanted]
    there = tuple(Installed(viewer, Path(path)) for viewer, path in found if path is not None)
    if there:
        return there
    names = " or ".join(viewer.name for viewer in wanted)
    commands = " or ".join(viewer.command for viewer in wanted)
    raise MissingDependency(
        f"there is no viewer to open a model in: expected {names}, and no command {commands} is installed",
        fix=", or ".join(f"pip install {viewer.package}" for viewer in wanted),
    )


def viewer_of(file: Path, viewers: Sequence[Installed]) -> Installed:
    """The first of the viewers that reads a file; raises ``MissingDependency`` where none does."""
    for each in viewers:
        if each.reads(file):
            return each
    names = " and ".join(each.viewer.name for each in viewers)
    packages = [NETRON.package] if NETRON.suffixes & {file.suffix} else []
    packages += [_ONNX_PACKAGE] if file.suffix == ".onnx" else []
    raise MissingDependency(
        f"{names} cannot show {file.name}",
        fix=", or ".join(f"pip install {package}" for package in packages) or "show another of the models",
    )
