"""Which kind of file this is, by its first bytes. A suffix says nothing: ``.pth`` is used for all of them."""

from __future__ import annotations

import struct
from pathlib import Path

from verify.checkpoint.contents import Contents
from verify.checkpoint.legacy_file import read_pickle_file, read_tar
from verify.checkpoint.zip_archive import read_zip
from verify.errors import CheckpointUnreadable

_FORMATS = "a PyTorch checkpoint (.pth, .pt, .ckpt, .safetensors), a TorchScript archive or a .pt2 exported program"

_FOREIGN: tuple[tuple[bytes, int, str], ...] = (
    (b"\xff\xd8\xff", 0, "a JPEG picture"),
    (b"\x89PNG", 0, "a PNG picture"),
    (b"GIF8", 0, "a GIF picture"),
    (b"\x89HDF", 0, "an HDF5 file (Keras .h5)"),
    (b"TFL3", 4, "a TensorFlow Lite model"),
    (b"GGUF", 0, "a GGUF model"),
    (b"\x1f\x8b", 0, "a gzip archive"),
    (b"7z\xbc\xaf", 0, "a 7z archive"),
    (b"\x93NUMPY", 0, "a NumPy array"),
    (b"%PDF", 0, "a PDF"),
    (b"version https://git-lfs", 0, "a Git LFS pointer: the file itself was not downloaded (`git lfs pull`)"),
    (b"<!DOCTYPE", 0, "a web page: the download gave a page, not the file"),
    (b"<html", 0, "a web page: the download gave a page, not the file"),
)
_HEAD_BYTES = 512
_LEGACY_START = b"\x80"
_TEXT_PICKLE_STARTS = (b"(", b"c", b"}", b"]", b"i", b"l", b"\x8a", b")", b"d")


def read_contents(path: Path) -> Contents | None:
    """Inert contents of any pickle-bearing checkpoint; ``None`` for safetensors, which hold none.

    Raises ``CheckpointUnreadable`` for everything that is no checkpoint, saying what it seems to be.
    """
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):
        return read_zip(path)
    if is_safetensors(head, path.stat().st_size):
        return None
    if head[257:262] == b"ustar":
        return read_tar(path)
    _refuse_foreign(path, head)
    if head.startswith(_LEGACY_START):
        return read_pickle_file(path)
    if head.startswith(_TEXT_PICKLE_STARTS):
        return _read_text_pickle(path)
    raise _unknown(path)


def is_safetensors(head: bytes, size: int) -> bool:
    """Eight bytes of header length, then JSON."""
    if len(head) < 9 or head[8:9] != b"{":
        return False
    (length,) = struct.unpack_from("<Q", head)
    return bool(0 < length <= size)


def _head(path: Path) -> bytes:
    if not path.exists():
        raise CheckpointUnreadable(f"there is no file {path}", fix="check the path")
    if path.is_dir():
        raise CheckpointUnreadable(f"{path} is a folder, expected {_FORMATS}", fix="give the file inside it")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise CheckpointUnreadable(f"{path} is empty (0 bytes)", fix="copy or download it again")
    return head


def _refuse_foreign(path: Path, head: bytes) -> None:
    for magic, offset, what in _FOREIGN:
        if head[offset : offset + len(magic)] == magic:
            raise CheckpointUnreadable(f"{path} is {what}, expected {_FORMATS}", fix="give the checkpoint file")
    if path.suffix == ".onnx":
        raise CheckpointUnreadable(
            f"{path} is an ONNX model, expected {_FORMATS}", fix="convert it with `convert onnx2tflite`"
        )


def _read_text_pickle(path: Path) -> Contents:
    """A protocol-0 pickle has no magic number: what does not read as one is taken for no checkpoint at all."""
    try:
        return read_pickle_file(path)
    except CheckpointUnreadable as error:
        raise _unknown(path) from error


def _unknown(path: Path) -> CheckpointUnreadable:
    return CheckpointUnreadable(f"{path} is not {_FORMATS}", fix="give the file that torch.save or safetensors wrote")
