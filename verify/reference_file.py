"""``reference.npz``: the inputs of a verification and the outputs of its first model, so that CI needs no torch.

An ordinary ``.npz`` (``numpy.load`` opens it) with members ``inputs/000/NAME`` and ``outputs/000/NAME`` for each batch,
in PyTorch layout and real values, and ``reference.json``, which says what they are.
"""

from __future__ import annotations

import json
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verify.batches import Array, batch_name, batch_paths, read_batch, write_batch
from verify.errors import ModelUnreadable
from verify.jsonio import from_jsonable, to_jsonable
from verify.samples.spec import InputSpec
from verify.signature import Signature
from verify.tolerance import OutputFloor

HEADER = "reference.json"
SCHEMA_VERSION = "1"


@dataclass(frozen=True)
class ReferenceHeader:
    """What a reference was made from. ``floors`` are the noise floors of its outputs, where float64 was measured."""

    schema_version: str
    model: str
    model_format: str
    model_sha256: str
    created: str
    """ISO 8601, UTC."""
    samples: str
    sample_count: int
    """Different samples; those repeated to fill a batch are counted once."""
    inputs: tuple[InputSpec, ...]
    signature: Signature
    """Everything in PyTorch layout."""
    class_count: int | None
    floors: tuple[OutputFloor, ...]
    versions: tuple[tuple[str, str], ...]


def write_reference(path: Path, header: ReferenceHeader, inputs: Path, outputs: Path) -> None:
    """Write folders of input and output batches as one file, whole or not at all. The same content, the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_STORED, allowZip64=True) as archive:
            text = json.dumps(to_jsonable(header), indent=2, ensure_ascii=False) + "\n"
            with archive.open(HEADER, "w") as member:
                member.write(text.encode())
            for side, folder in (("inputs", inputs), ("outputs", outputs)):
                for place, batch in enumerate(batch_paths(folder)):
                    _write_arrays(archive, f"{side}/{place:03d}", read_batch(batch))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_header(path: Path) -> ReferenceHeader:
    """What a reference says of itself; raises ``ModelUnreadable`` for any other file, and for another version."""
    from pydantic import ValidationError

    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read(HEADER))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ModelUnreadable(
            f"{path} is no reference: expected an .npz with a {HEADER} in it ({error})",
            fix="write one with: verify MODEL --data SAMPLES --save-reference reference.npz; samples go to --data",
        ) from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise ModelUnreadable(
            f"{path} has schema version {version!r}; this release reads {SCHEMA_VERSION!r}",
            fix="write it again: verify MODEL --save-reference reference.npz",
        )
    try:
        header: ReferenceHeader = from_jsonable(ReferenceHeader, data)
    except ValidationError as error:
        raise ModelUnreadable(f"{path} has a {HEADER} that is none: {error}", fix="write it again") from error
    return header


def unpack_reference(path: Path, inputs: Path, outputs: Path) -> int:
    """Write a reference's arrays as folders of batches and return how many batches there are. No object is unpickled.

    Raises ``ModelUnreadable`` when a batch has only one of its sides, or the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            sides = {side: _batches(archive.files, side) for side in ("inputs", "outputs")}
            if sides["inputs"].keys() != sides["outputs"].keys() or not sides["inputs"]:
                raise ModelUnreadable(f"{path} has no outputs for some of its inputs", fix="write it again")
            for side, folder in (("inputs", inputs), ("outputs", outputs)):
                for place, names in sides[side].items():
                    arrays = {name: archive[f"{side}/{place}/{name}"] for name in names}
                    write_batch(folder / batch_name(int(place)), arrays)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelUnreadable(f"{path} is damaged: {error}", fix="write or copy it again") from error
    return len(sides["inputs"])


def _batches(members: list[str], side: str) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for member in members:
        start, _, rest = member.partition("/")
        place, _, name = rest.partition("/")
        if start == side and place.isdigit() and name:
            found.setdefault(place, []).append(name)
    return found


def _write_arrays(archive: zipfile.ZipFile, folder: str, arrays: Mapping[str, Array]) -> None:
    for name, array in arrays.items():
        with archive.open(f"{folder}/{name}.npy", "w", force_zip64=True) as member:
            np.save(member, np.ascontiguousarray(array), allow_pickle=False)
