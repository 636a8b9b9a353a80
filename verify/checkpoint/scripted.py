"""TorchScript archives. Their code is TorchScript, not Python, but it runs on loading and can reach files.

So the archive is read as data first: the code it holds may define no ``__setstate__`` (which runs on loading) and call
nothing that touches files or foreign operators. One that cannot be shown to be harmless needs ``--trust-pickle``.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from verify.checkpoint import danger
from verify.checkpoint.contents import Contents
from verify.checkpoint.opened import ModuleKind
from verify.checkpoint.sources import WholeModule
from verify.checkpoint.torchvision_shim import make_torchvision_importable
from verify.checkpoint.weights import scripted_weights, spellings
from verify.errors import CheckpointUnreadable, UnsafeCheckpoint
from verify.model import ModelSource

_SUSPICIOUS_CODE = (
    (re.compile(r"\b(__setstate__|__getstate__)\b"), "code that runs on loading ({0})"),
    (re.compile(r"\b(ops\.(?!aten\.|prim\.|prims\.|torchvision\.)\w+\.\w+)"), "the operator {0}"),
    (re.compile(r"\b((?:torch|ops\.aten)\.(?:save|load|from_file|_load\w*|_save\w*|_from_file\w*)\b)"), "{0}"),
    (re.compile(r"\b(__torch__\.torch\.classes\.[\w.]+)"), "the custom class {0}"),
)
_INERT_NAMES = re.compile(
    r"^(__torch__\.(?!torch\.classes)|torch\.jit\._pickle\.(build|restore_type)|torch\.\w+Storage$|torch\.[a-z]+\d*$)"
)
_LARGEST_CODE_BYTES = 64 * 2**20


def open_scripted(source: ModelSource, contents: Contents) -> WholeModule:
    """A TorchScript module; raises ``UnsafeCheckpoint`` for one that could do more than compute."""
    if not source.trust_pickle:
        reasons = suspicions(contents)
        if reasons:
            raise UnsafeCheckpoint(
                f"{source.path} is a TorchScript archive that could do more than compute: it holds "
                f"{danger.listed(reasons)}. Nothing of it was run",
                fix="if you trust where it comes from, add --trust-pickle; better, give the state_dict and --arch",
            )
    make_torchvision_importable()  # detection nets call its operators by name
    try:
        module = torch.jit.load(str(source.path), map_location="cpu")  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointUnreadable(
            f"{source.path} looks like a TorchScript archive and cannot be loaded: {reason}",
            fix="save it again with this torch, or give a state_dict and --arch",
        ) from error
    module.eval()
    shapes = {name: tensor.shape for name, tensor in scripted_weights(contents.pickle.root).items()}
    return WholeModule(
        module.float(), "TorchScript archive", ModuleKind.SCRIPTED, tuple(way for _, way in spellings(shapes))
    )


def suspicions(contents: Contents) -> tuple[str, ...]:
    """What in the archive could do more than compute; empty for an ordinary one."""
    found: dict[str, None] = {}
    names = (*contents.pickle.names, *contents.other_names)
    for name in names:
        if not _INERT_NAMES.match(name) and not _is_plain(name):
            found[name] = None
    for text in _code(contents.path).values():
        for pattern, phrase in _SUSPICIOUS_CODE:
            for match in pattern.finditer(text):
                found[phrase.format(match[1])] = None
    return tuple(found)


def _is_plain(name: str) -> bool:
    from verify.checkpoint.zip_archive import REBUILDERS

    return name in REBUILDERS


def _code(path: Path) -> Mapping[str, str]:
    with zipfile.ZipFile(path) as archive:
        code = [info for info in archive.infolist() if "/code/" in info.filename and info.filename.endswith(".py")]
        if sum(info.file_size for info in code) > _LARGEST_CODE_BYTES:
            raise CheckpointUnreadable(f"{path} holds more code than any model", fix="give a state_dict and --arch")
        return {info.filename: archive.read(info).decode("utf-8", "replace") for info in code}
