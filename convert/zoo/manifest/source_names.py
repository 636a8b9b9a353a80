"""What ``source`` means: one checkpoint or several, where each is, and what it would be called."""

from __future__ import annotations

import difflib
import fnmatch
import glob
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from convert.zoo.job import SourceKind
from verify.errors import InputError

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors", ".pt2", ".bin", ".tar")
LIBRARIES = {"torchvision": SourceKind.TORCHVISION, "timm": SourceKind.TIMM}
_HUGGING_FACE = "hf://"
_MAGIC = re.compile(r"[*?\[]")
_UNSAFE = re.compile(r"[^A-Za-z0-9._+=-]+")
_SAYS_NOTHING = frozenset({"model", "pytorch_model", "weights", "checkpoint", "best", "last", "final", "net"})


@dataclass(frozen=True)
class Located:
    """One checkpoint's place. ``parts`` are its names, from the outermost folder to the file without its suffix."""

    kind: SourceKind
    location: str
    parts: tuple[str, ...]
    suffix: str = ""
    matched: bool = False
    """Whether a glob found it, which may find more another day."""

    def name(self, depth: int = 1) -> str:
        """What it is called; ``depth`` counts the parts that say so, and past the outermost adds the suffix.

        A name like ``best`` takes its folder's before.
        """
        wanted = depth + (self.parts[-1].lower() in _SAYS_NOTHING)
        words = [*self.parts[-wanted:], *([self.suffix] if depth > len(self.parts) and self.suffix else [])]
        return "-".join(_safe(word) for word in words)

    @property
    def stem(self) -> str:
        """What its files are called, as ``convert pth2tflite`` has it: up to the first dot."""
        return self.name().split(".")[0] or "model"


def locate(text: str, folder: Path) -> tuple[Located, ...]:
    """The checkpoints that ``text`` means, sorted; a glob may mean several.

    Raises ``InputError`` for a glob that finds none, and for an architecture that its library does not have.
    """
    library, _, name = text.partition(":")
    if library in LIBRARIES and name and not name.startswith("//"):
        names = _architectures(library, name)
        return tuple(Located(LIBRARIES[library], each, (library, each), matched=each != name) for each in names)
    if text.startswith(_HUGGING_FACE):
        return (_on_hugging_face(text.removeprefix(_HUGGING_FACE)),)
    if "://" in text:
        return (_located(SourceKind.URL, text, unquote(urlsplit(text).path) or text),)
    if _is_glob(text, folder):
        return tuple(_located(SourceKind.FILE, path, path, matched=True) for path in _files(text, folder))
    path = PurePosixPath(text).as_posix()
    return (_located(SourceKind.FILE, path, path),)


def _on_hugging_face(location: str) -> Located:
    from convert.zoo.sources.hugging_face import parse_location

    place = parse_location(location)
    return _located(SourceKind.HUGGING_FACE, location, f"{place.repository}/{place.file}")


def _is_glob(text: str, folder: Path) -> bool:
    return _MAGIC.search(text) is not None and not (folder / text).is_file()


def _files(text: str, folder: Path) -> list[str]:
    found = [PurePosixPath(path).as_posix() for path in glob.glob(text, root_dir=folder, recursive=True)]  # noqa: PTH207
    files = sorted(path for path in found if (folder / path).is_file())
    if not files:
        raise InputError(f"no file is like {text!r}", fix=f"globs start from the manifest's folder, {folder}")
    return files


def _architectures(library: str, name: str) -> list[str]:
    """The library's architectures of that name, which may be a glob. A tag of published weights may follow a dot."""
    from verify.checkpoint.index import load_index

    known = load_index(library).architecture_names
    if _MAGIC.search(name):
        found = sorted(fnmatch.filter(known, name))
        if not found:
            raise InputError(f"{library} has no architecture like {name!r}", fix=f"it has {len(known)}; check the glob")
        return found
    if name.partition(".")[0] not in known:
        close = difflib.get_close_matches(name, known, 3)
        raise InputError(
            f"{library} has no architecture {name!r}",
            fix=f"did you mean {' or '.join(close)}?" if close else "check the name",
        )
    return [name]


def _located(kind: SourceKind, location: str, path: str, *, matched: bool = False) -> Located:
    *folders, file = [part for part in PurePosixPath(path).parts if part not in {"/", ".", ".."}] or ["checkpoint"]
    name = file
    while PurePosixPath(name).suffix.lower() in CHECKPOINT_SUFFIXES:
        name = name.removesuffix(PurePosixPath(name).suffix)
    return Located(kind, location, (*folders, name), file.removeprefix(name).lstrip("."), matched)


def _safe(part: str) -> str:
    return _UNSAFE.sub("-", part).lstrip(".-+=") or "model"
