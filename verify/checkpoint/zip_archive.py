"""Zip archives that torch writes (checkpoints, TorchScript, exported programs), read as data."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

from verify.checkpoint.contents import CompressedMember, Container, Contents, Extent
from verify.checkpoint.inert_pickle import InertPickle, MalformedPickleError, read_pickle
from verify.checkpoint.numpy_arrays import NUMPY_REBUILDERS
from verify.checkpoint.tensors import TORCH_REBUILDERS, storage_from_persistent_id
from verify.errors import CheckpointUnreadable

_LOCAL_HEADER_BYTES = 30
_END_RECORD = struct.Struct("<4s4s4sIIH")
_ZIP64_LOCATOR = struct.Struct("<4sIQI")
_ZIP64_RECORD = struct.Struct("<4s36xQQ")
_LARGEST_PICKLE_BYTES = 512 * 2**20

REBUILDERS = {**TORCH_REBUILDERS, **NUMPY_REBUILDERS}


def read_zip(path: Path) -> Contents:
    """Contents of a zip that torch wrote; raises ``CheckpointUnreadable`` for any other, and for a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except zipfile.BadZipFile as error:
        raise CheckpointUnreadable(
            f"{path} begins like a zip archive, as torch.save writes, but is truncated or damaged ({error})",
            fix="copy or download it again; its size should be that of the original",
        ) from error
    except (MalformedPickleError, struct.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise CheckpointUnreadable(
            f"{path} is a damaged torch.save file: {error}", fix="copy or download it again, or save it again"
        ) from error


def _read(path: Path, archive: zipfile.ZipFile) -> Contents:
    members = _members(path, archive)
    folder = next(iter(members), "").partition("/")[0]
    container = _container(path, folder, members)
    if container is Container.EXPORTED:
        return Contents(path, container, InertPickle(None, (), ()), {}, _names_in_pickles(archive, members, ""))
    _require_little_endian(path, archive, members, folder)
    main = f"{folder}/data.pkl"
    return Contents(
        path,
        container,
        _read_member(archive, members[main]),
        _storages(path, members, folder),
        _names_in_pickles(archive, members, main),
    )


def _members(path: Path, archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """Members by name. Two of one name would let two readers see two different files."""
    members = {info.filename: info for info in archive.infolist()}
    if any(info.filename != info.orig_filename for info in archive.infolist()) or not _has_plain_directory(
        path, archive
    ):
        raise CheckpointUnreadable(
            f"{path} is a zip archive that two readers could read as two different files; torch.save never writes that",
            fix="get the file from its source again",
        )
    if len({name.casefold() for name in members}) != len(archive.infolist()):
        raise CheckpointUnreadable(
            f"{path} holds two members of the same name; torch.save never writes that",
            fix="get the file from its source again",
        )
    return members


def _has_plain_directory(path: Path, archive: zipfile.ZipFile) -> bool:
    """Whether the directory ends the file and lies where its record says, so that no reader has to search or guess."""
    with path.open("rb") as file:
        file.seek(-_END_RECORD.size, 2)
        end = file.tell()
        signature, _disks, _count, size, offset, comment = _END_RECORD.unpack(file.read(_END_RECORD.size))
        if signature != b"PK\x05\x06" or comment:
            return False
        if 0xFFFFFFFF in (size, offset):
            file.seek(end - _ZIP64_LOCATOR.size)
            locator, _disk, where, _disks = _ZIP64_LOCATOR.unpack(file.read(_ZIP64_LOCATOR.size))
            file.seek(where)
            record, size, offset = _ZIP64_RECORD.unpack(file.read(_ZIP64_RECORD.size))
            if locator != b"PK\x06\x07" or record != b"PK\x06\x06" or offset + size != where:
                return False
        return bool(archive.start_dir == offset)


def _container(path: Path, folder: str, members: Mapping[str, zipfile.ZipInfo]) -> Container:
    names = set(members)
    if "serialized_exported_program.json" in names or f"{folder}/archive_format" in names:
        return Container.EXPORTED
    if f"{folder}/data.pkl" in names:
        return Container.TORCHSCRIPT if f"{folder}/constants.pkl" in names else Container.ZIP
    raise CheckpointUnreadable(
        f"{path} is a zip archive, but not one that torch.save writes: it has no {folder or '*'}/data.pkl "
        f"(it holds {', '.join(sorted(names)[:4]) or 'nothing'})",
        fix="give the .pth, .pt, .ckpt, .pt2 or .safetensors file itself; unpack an archive that contains one",
    )


def _require_little_endian(
    path: Path, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], folder: str
) -> None:
    order = members.get(f"{folder}/byteorder")
    if order is not None and archive.read(order).strip() != b"little":
        raise CheckpointUnreadable(
            f"{path} was saved on a big-endian machine", fix="load and save it again on a little-endian one"
        )


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> InertPickle:
    if info.file_size > _LARGEST_PICKLE_BYTES:
        raise MalformedPickleError(f"{info.filename} is {info.file_size / 2**20:.0f} MiB of pickle")
    return read_pickle(archive.read(info), REBUILDERS, storage_from_persistent_id)


def _names_in_pickles(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], main: str) -> tuple[str, ...]:
    """Names that the archive's other pickles refer to; one that cannot be read says so in their place."""
    names: dict[str, None] = {}
    for name, info in members.items():
        if name == main or not name.endswith(".pkl"):
            continue
        try:
            names.update(dict.fromkeys(_read_member(archive, info).names))
        except MalformedPickleError:
            names[f"{name} (unreadable)"] = None
    return tuple(names)


def _storages(
    path: Path, members: Mapping[str, zipfile.ZipInfo], folder: str
) -> Mapping[str, Extent | CompressedMember]:
    prefix = f"{folder}/data/"
    found: dict[str, Extent | CompressedMember] = {}
    with path.open("rb") as file:
        for name, info in members.items():
            if not name.startswith(prefix):
                continue
            key = name.removeprefix(prefix)
            if info.compress_type != zipfile.ZIP_STORED:
                found[key] = CompressedMember(name, info.file_size)
                continue
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER_BYTES)
            name_bytes, extra_bytes = struct.unpack_from("<HH", header, 26)
            found[key] = Extent(info.header_offset + _LOCAL_HEADER_BYTES + name_bytes + extra_bytes, info.file_size)
    return found
