"""``signature.json`` beside artifacts: what each file's inputs and outputs are, and in which layout.

One file a folder, ``{file name: {format, sha256, signature}}``. A SavedModel is entered by its folder's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verify.artifact import Artifact, Format, sha256_of
from verify.atomic import write_text
from verify.errors import InputError
from verify.signature import Signature, TensorSpec

FILE_NAME = "signature.json"


@dataclass(frozen=True)
class Declared:
    """What ``signature.json`` says of one artifact."""

    format: Format
    sha256: str
    signature: Signature


def write_signatures(folder: Path, artifacts: tuple[Artifact, ...]) -> Path:
    """Write ``signature.json`` for artifacts that stand in ``folder``, whole or not at all."""
    from verify.jsonio import to_jsonable

    declared = {each.path.name: Declared(each.format, each.sha256, each.signature) for each in artifacts}
    text = json.dumps(to_jsonable(declared, dict[str, Declared]), indent=2, ensure_ascii=False) + "\n"
    target = folder / FILE_NAME
    write_text(target, text)
    return target


def read_signatures(folder: Path) -> Mapping[str, Declared]:
    """What ``signature.json`` in a folder says, by file name; empty when there is none."""
    from pydantic import ValidationError

    from verify.jsonio import from_jsonable

    path = folder / FILE_NAME
    if not path.is_file():
        return {}
    try:
        found: dict[str, Declared] = from_jsonable(dict[str, Declared], json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, ValueError) as error:
        raise InputError(
            f"{path} is not a signature file: {error}",
            fix="delete it, or let the command that made the model write it again",
        ) from error
    return found


def declared_artifact(path: Path) -> Artifact | None:
    """The artifact at ``path`` as the ``signature.json`` beside it declares it; ``None`` when nothing does.

    Raises ``InputError`` when the file has changed since: a stale layout must not be applied.
    """
    declared = read_signatures(path.parent).get(path.name)
    if declared is None:
        return None
    actual = sha256_of(path)
    if actual != declared.sha256:
        raise InputError(
            f"{path.name} is not the file that {path.parent / FILE_NAME} describes: its hash is {actual[:12]}…, "
            f"declared is {declared.sha256[:12]}…",
            fix="make the model again, or delete the signature file and name layouts with --layout",
        )
    return Artifact(path, declared.format, declared.signature, actual)


def check_declared(artifact: Artifact, own: Signature) -> None:
    """What is declared of an artifact, but for layouts and names of axes, must be what the file itself says.

    Tensors that only one of the two has are left to the comparison. Raises ``InputError``.
    """
    known = {spec.name: spec for spec in (*own.inputs, *own.outputs)}
    for spec in (*artifact.signature.inputs, *artifact.signature.outputs):
        theirs = known.get(spec.name)
        if theirs is not None and not _agree(spec, theirs):
            raise InputError(
                f"{artifact.path.name} has {_described(theirs)}, but {artifact.path.parent / FILE_NAME} declares "
                f"{_described(spec)}: expected the same",
                fix="make the model again, or delete the signature file and name layouts with --layout",
            )


def _agree(declared: TensorSpec, own: TensorSpec) -> bool:
    return (
        declared.dtype == own.dtype
        and declared.quantization == own.quantization
        and len(declared.shape) == len(own.shape)
        and all(
            one == other
            for one, other in zip(declared.shape, own.shape, strict=True)
            if isinstance(one, int) and isinstance(other, int)
        )
    )


def _described(spec: TensorSpec) -> str:
    dims = ", ".join(str(dim) for dim in spec.shape)
    scale = spec.quantization
    quantized = f" (scale {scale.scale:.6g}, zero point {scale.zero_point})" if scale is not None else ""
    return f"{spec.name} as {spec.dtype}[{dims}]{quantized}"
