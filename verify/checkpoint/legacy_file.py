"""What torch.save wrote before it wrote zips: consecutive pickles and raw storages, and before that a tar."""

from __future__ import annotations

import mmap
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from verify.checkpoint.contents import Container, Contents, Extent
from verify.checkpoint.inert_pickle import Global, InertPickle, MalformedPickleError, Opaque, read_pickle
from verify.checkpoint.tensors import (
    ITEM_BYTES,
    STORAGE_DTYPES,
    Storage,
    StoredTensor,
    storage_from_persistent_id,
)
from verify.checkpoint.zip_archive import REBUILDERS
from verify.errors import CheckpointUnreadable

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_COUNT_BYTES = 8


def read_pickle_file(path: Path) -> Contents:
    """A legacy ``torch.save`` file (or any plain pickle); raises ``CheckpointUnreadable``."""
    return _reading(path, _read_pickles)


def read_tar(path: Path) -> Contents:
    """A ``torch.save`` tar of 2016; raises ``CheckpointUnreadable``."""
    return _reading(path, _read_tar)


def _reading(path: Path, read: Callable[[Path, mmap.mmap], Contents]) -> Contents:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return read(path, data)
    except (MalformedPickleError, struct.error, tarfile.TarError, KeyError) as error:
        raise CheckpointUnreadable(
            f"{path} begins like a pickle, as old torch.save files do, but is truncated or damaged: {error}",
            fix="copy or download it again; its size should be that of the original",
        ) from error


def _read_pickles(path: Path, data: mmap.mmap) -> Contents:
    stream = cast("IO[bytes]", data)
    first = read_pickle(stream, REBUILDERS)
    if first.root != _MAGIC_NUMBER:
        return Contents(path, Container.PICKLE, first)
    headers = [read_pickle(stream), read_pickle(stream)]
    system = headers[1].root
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise MalformedPickleError("it was saved on a big-endian machine")
    dtypes: dict[str, str] = {}

    def persistent(identifier: object) -> object:
        storage = storage_from_persistent_id(identifier)
        if isinstance(storage, Storage):
            dtypes[storage.key] = storage.dtype
        return storage

    main = read_pickle(stream, REBUILDERS, persistent)
    keys = read_pickle(stream)
    storages = _storages_in_order(data, keys.root, dtypes)
    names = (*first.names, *headers[0].names, *headers[1].names, *keys.names)
    return Contents(path, Container.LEGACY, main, storages, names)


def _storages_in_order(data: mmap.mmap, keys: object, dtypes: dict[str, str]) -> dict[str, Extent]:
    if not isinstance(keys, list):
        raise MalformedPickleError("the list of storages is missing")
    storages: dict[str, Extent] = {}
    for key in keys:
        if not isinstance(key, str) or key not in dtypes:
            raise MalformedPickleError(f"it lists a storage {key!r:.40} that no tensor has")
        storages[key] = _storage_here(data, dtypes[key])
    return storages


def _storage_here(data: mmap.mmap, dtype: str) -> Extent:
    """The storage that starts at the stream's position: an int64 count, then its elements."""
    (count,) = struct.unpack("<q", data.read(_COUNT_BYTES))
    start = data.tell()
    length = count * ITEM_BYTES[dtype]
    if count < 0 or start + length > len(data):
        raise MalformedPickleError(f"a storage of {length} bytes begins at {start}, and the file has {len(data)}")
    data.seek(start + length)
    return Extent(start, length)


def _read_tar(path: Path, data: mmap.mmap) -> Contents:
    with tarfile.open(path, "r:") as archive:
        members = {member.name.removeprefix("./"): member for member in archive if member.isreg()}
    if not {"storages", "tensors", "pickle"} <= set(members):
        raise CheckpointUnreadable(
            f"{path} is a tar archive, but not one that torch.save wrote: it holds {', '.join(sorted(members)[:4])}",
            fix="unpack it and give the .pth file inside",
        )
    stream = cast("IO[bytes]", data)
    data.seek(members["storages"].offset_data)
    storages, dtypes, views = _tar_storages(stream, data)
    data.seek(members["tensors"].offset_data)
    tensors = _tar_tensors(stream, data, dtypes, views)
    data.seek(members["pickle"].offset_data)
    main = read_pickle(stream, REBUILDERS, lambda key: tensors.get(str(key), Opaque("persistent id", key)))
    return Contents(path, Container.LEGACY_TAR, main, storages)


def _tar_storages(
    stream: IO[bytes], data: mmap.mmap
) -> tuple[dict[str, Extent], dict[str, str], dict[str, tuple[str, int]]]:
    storages: dict[str, Extent] = {}
    dtypes: dict[str, str] = {}
    for _ in range(_count(read_pickle(stream))):
        key, _location, kind = _triple(read_pickle(stream))
        if not isinstance(kind, Global) or kind.name not in STORAGE_DTYPES:
            raise MalformedPickleError(f"a storage is of type {kind}")
        dtypes[str(key)] = STORAGE_DTYPES[kind.name]
        storages[str(key)] = _storage_here(data, dtypes[str(key)])
    views: dict[str, tuple[str, int]] = {}
    listed = read_pickle(stream).root
    for view in listed if isinstance(listed, list) else []:
        target, root, offset, _size = view
        views[str(target)] = (str(root), int(offset))
    return storages, dtypes, views


def _tar_tensors(
    stream: IO[bytes], data: mmap.mmap, dtypes: dict[str, str], views: dict[str, tuple[str, int]]
) -> dict[str, StoredTensor]:
    tensors: dict[str, StoredTensor] = {}
    for _ in range(_count(read_pickle(stream))):
        key, storage_key, _kind = _triple(read_pickle(stream))
        (rank,) = struct.unpack("<i4x", data.read(8))
        if not 0 <= rank <= 64:
            raise MalformedPickleError(f"a tensor has {rank} axes")
        numbers = struct.unpack(f"<{2 * rank + 1}q", data.read(8 * (2 * rank + 1)))
        root, view_offset = views.get(str(storage_key), (str(storage_key), 0))
        storage = Storage(root, dtypes[root])
        if min(numbers) < 0:
            raise MalformedPickleError("a tensor's size, stride or offset is negative")
        offset = view_offset + numbers[-1]
        tensors[str(key)] = StoredTensor(storage.dtype, numbers[:rank], storage, offset, numbers[rank : 2 * rank])
    return tensors


def _count(pickle: InertPickle) -> int:
    if not isinstance(pickle.root, int):
        raise MalformedPickleError("a count is missing")
    return pickle.root


def _triple(pickle: InertPickle) -> tuple[object, object, object]:
    if not isinstance(pickle.root, tuple) or len(pickle.root) != 3:
        raise MalformedPickleError("a storage's or tensor's header is missing")
    return pickle.root
