"""Stored tensors → torch tensors: mapped from the file where they can be, float32 whatever they were, and finite."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from verify.checkpoint.contents import CompressedMember, Contents, Extent
from verify.checkpoint.tensors import ITEM_BYTES, ArrayBytes, StoredTensor
from verify.errors import CheckpointUnreadable, NonFiniteWeights

_SHOWN_TENSORS = 8


@dataclass(frozen=True)
class Materialised:
    """Tensors by name, floating-point ones as float32, and the dtypes that were changed for it."""

    tensors: dict[str, torch.Tensor]
    widened: tuple[str, ...]


def from_contents(contents: Contents, stored: Mapping[str, StoredTensor]) -> Materialised:
    """The tensors, with their bytes mapped privately from the file: nothing is read before it is needed."""
    opener = _Opener(contents)
    return as_float32({name: opener.tensor(name, tensor) for name, tensor in stored.items()})


def from_safetensors(path: Path, names: Mapping[str, str]) -> Materialised:
    """Tensors of a safetensors file, ``{name: key in the file}``."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return as_float32({name: file.get_tensor(key) for name, key in names.items()})


def as_float32(tensors: Mapping[str, torch.Tensor]) -> Materialised:
    """The tensors, with floating-point ones of other widths converted."""
    converted: dict[str, torch.Tensor] = {}
    widened: dict[str, None] = {}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            widened[str(tensor.dtype).removeprefix("torch.")] = None
            converted[name] = tensor.to(torch.float32)
        else:
            converted[name] = tensor
    return Materialised(converted, tuple(widened))


def require_finite(path: Path, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Raise ``NonFiniteWeights``, naming the tensors, if any weight is NaN or infinite."""
    bad: list[str] = []
    count = 0
    for name, tensor in tensors:
        count += 1
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        low, high = torch.aminmax(tensor.detach())
        if not (torch.isfinite(low) and torch.isfinite(high)):
            nan = int(torch.isnan(tensor).sum())
            infinite = int(torch.isinf(tensor).sum())
            bad.append(f"{name} ({nan} NaN and {infinite} infinite of {tensor.numel()})")
    if bad:
        shown = ", ".join(bad[:_SHOWN_TENSORS]) + (
            f" and {len(bad) - _SHOWN_TENSORS} more" if bad[_SHOWN_TENSORS:] else ""
        )
        raise NonFiniteWeights(
            f"{len(bad)} of {count} tensors in {path} hold NaN or infinity: {shown}",
            fix="the training that saved it had diverged: use an earlier checkpoint, or train again with a lower "
            "learning rate or gradient clipping",
        )


class _Opener:
    """Maps the file once, and hands out views of it."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._size = contents.path.stat().st_size
        self._mapped: torch.UntypedStorage = torch.UntypedStorage.from_file(str(contents.path), False, self._size)  # type: ignore[assignment]
        self._unpacked: dict[str, torch.UntypedStorage] = {}

    def tensor(self, name: str, stored: StoredTensor) -> torch.Tensor:
        dtype: torch.dtype = getattr(torch, stored.dtype)
        storage, start = self._storage(name, stored)
        item = ITEM_BYTES[stored.dtype]
        first, end = start + stored.first_byte, start + stored.end_byte
        if (storage.data_ptr() + first) % item:
            return _copied(storage, first, end, stored, dtype)
        return _strided(storage[first:end], 0, stored, dtype)

    def _storage(self, name: str, stored: StoredTensor) -> tuple[torch.UntypedStorage, int]:
        """The storage and where in it the tensor's own storage starts; checked to hold the whole tensor."""
        if isinstance(stored.storage, ArrayBytes):
            data = stored.storage.data
            self._require(name, stored, len(data))
            return _storage_of(data), 0
        extent = self._contents.storages.get(stored.storage.key)
        if extent is None:
            raise CheckpointUnreadable(
                f"{self._contents.path} lacks the data of {name} (storage {stored.storage.key})",
                fix="the file is damaged: copy or download it again",
            )
        self._require(name, stored, extent.length)
        if isinstance(extent, Extent):
            if extent.offset + extent.length > self._size:
                raise CheckpointUnreadable(
                    f"{self._contents.path} is truncated: the data of {name} ends at byte "
                    f"{extent.offset + extent.length}, and the file has {self._size}",
                    fix="copy or download it again",
                )
            return self._mapped, extent.offset
        return self._unpack(extent), 0

    def _require(self, name: str, stored: StoredTensor, length: int) -> None:
        if stored.end_byte > length:
            raise CheckpointUnreadable(
                f"{self._contents.path} is damaged: {name} of shape {stored.shape} needs {stored.end_byte} bytes of "
                f"its storage, which has {length}",
                fix="copy or download it again",
            )

    def _unpack(self, member: CompressedMember) -> torch.UntypedStorage:
        if member.name not in self._unpacked:
            with zipfile.ZipFile(self._contents.path) as archive:
                self._unpacked[member.name] = _storage_of(archive.read(member.name))
        return self._unpacked[member.name]


def _storage_of(data: bytes) -> torch.UntypedStorage:
    if not data:
        return torch.empty(0, dtype=torch.uint8).untyped_storage()
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).untyped_storage()


def _strided(storage: torch.UntypedStorage, offset: int, stored: StoredTensor, dtype: torch.dtype) -> torch.Tensor:
    if 0 in stored.shape:
        return torch.empty(stored.shape, dtype=dtype)
    return torch.empty(0, dtype=dtype).set_(storage, offset, stored.shape, stored.strides)


def _copied(
    storage: torch.UntypedStorage, first: int, end: int, stored: StoredTensor, dtype: torch.dtype
) -> torch.Tensor:
    """A copy where the file does not align the data (legacy files)."""
    return _strided(storage[first:end].clone(), 0, stored, dtype)
