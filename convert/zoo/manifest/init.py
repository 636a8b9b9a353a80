"""``convert zoo init``: a manifest from a folder of checkpoints, for a person to complete."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from convert.zoo.job import GIB, JobLimits
from convert.zoo.manifest.checkpoints import Checkpoint, LeftOut, checkpoints_in
from convert.zoo.manifest.entries import Entry, with_ids
from convert.zoo.manifest.schema import ModelTable
from convert.zoo.manifest.source_names import locate
from verify.atomic import write_text
from verify.errors import InputError

_HEAD = """\
# Written by `convert zoo init`; docs/zoo-manifest.md lists every key. Run it with `convert zoo {name}`.
# An editor that knows TOML schemas completes and checks it after
#     python -m convert.zoo.manifest.build_schema zoo.schema.json
# and with this as the first line:
#     #:schema ./zoo.schema.json
"""
_ASKED = "TO FILL IN"
_FEWEST_IMAGES = 2
_WORDS_OF_CALIBRATION = ("calib", "representative", "samples", "images", "photos", "val")


class ManifestExists(InputError):
    """A manifest would be overwritten."""


class NoCheckpoints(InputError):
    """A folder holds nothing to convert."""


@dataclass(frozen=True)
class WrittenManifest:
    """The manifest that was written, what is in it, and what is not."""

    path: Path
    models: tuple[Checkpoint, ...]
    left_out: tuple[LeftOut, ...]
    calibration: Path | None

    @property
    def incomplete(self) -> tuple[Checkpoint, ...]:
        """Models that a person has to say more of."""
        return tuple(model for model in self.models if not model.architecture)

    @property
    def summary(self) -> str:
        """What was written, what is asked of the reader, what was left out, and the next command."""
        lines = [f"Wrote {self.path}: {_count(len(self.models), 'model')}, {self._calibrated_on()}."]
        if self.incomplete:
            names = ", ".join(model.path.name for model in self.incomplete)
            lines.append(f"To fill in ({_ASKED} in the file): {names}.")
        lines += [f"Left out {each.path.name}: {each.why}" for each in self.left_out]
        return "\n".join([*lines, f"Next: convert zoo {self.path}"])

    def _calibrated_on(self) -> str:
        return f"calibrated on {self.calibration.name}/" if self.calibration else "nothing to calibrate int8 on found"


def write_manifest(folder: Path, target: Path) -> WrittenManifest:
    """Write ``target``, with a model for every checkpoint below ``folder``; nothing is loaded or executed.

    Raises ``ManifestExists`` rather than overwrite, ``NoCheckpoints`` where there is none.
    """
    if target.exists():
        raise ManifestExists(
            f"{target} exists, and is not overwritten", fix="name another with --output, or move it away"
        )
    found = list(checkpoints_in(folder))
    models = tuple(each for each in found if isinstance(each, Checkpoint))
    left_out = tuple(each for each in found if isinstance(each, LeftOut))
    if not models:
        why = f"; {left_out[0].path.name}: {left_out[0].why}" if left_out else ""
        raise NoCheckpoints(
            f"{folder} holds no checkpoint{why}", fix="give a folder with .pth, .pt, .ckpt, .safetensors or .pt2 files"
        )
    images = _image_folders(folder)
    text = "\n".join(_lines(models, left_out, images, target))
    write_text(target, text + "\n")
    return WrittenManifest(target, models, left_out, images[0][0] if images else None)


def _lines(
    models: Sequence[Checkpoint], left_out: Sequence[LeftOut], images: Sequence[tuple[Path, int]], target: Path
) -> Iterator[str]:
    limits = JobLimits()
    yield _HEAD.format(name=target.name)
    yield "[zoo]"
    yield f"name = {_quoted(target.absolute().parent.name or 'zoo')}"
    yield "\n[defaults]"
    yield from _calibration(images, target)
    yield f'memory = "{limits.memory_bytes / GIB:g} GiB"  # what all processes of a job may use together'
    yield f'timeout = "{limits.timeout_s / 60:g} min"'
    yield '# budgets = { max_size = { int8 = "5 MB" }, min_top1 = { int8 = 0.9 } }'
    for model, name in zip(models, _ids(models, target), strict=True):
        yield "\n[[model]]"
        yield f"id = {_quoted(name)}"
        yield f"source = {_quoted(_relative(model.path, target))}"
        yield f'sha256 = "{model.sha256}"'
        yield from _said_of(model)
    yield from (f"\n# Left out: {_one_line(_relative(each.path, target))}: {_one_line(each.why)}" for each in left_out)


def _calibration(images: Sequence[tuple[Path, int]], target: Path) -> Iterator[str]:
    if not images:
        yield f'# calibration = "photos/"  # {_ASKED}: images, .npz or FILE.py:CALLABLE; no static int8 without'
    for place, (folder, count) in enumerate(images):
        comment = "# " if place else ""
        yield f"{comment}calibration = {_quoted(_relative(folder, target))}  # {_count(count, 'image')}"


def _said_of(model: Checkpoint) -> Iterator[str]:
    """What is known of a model, and what a person has to add, as comments."""
    if model.architecture:
        yield f"# recognised as {model.architecture}: {_one_line(model.note)}"
        return
    if model.note:
        yield f"# {_one_line(model.note)}"
    if model.pickled:
        yield f"# {_ASKED}: {_one_line(model.pickled)}"
        yield "# trust_pickle = true  # runs code from the file: only if you know who made it"
    elif model.knows_itself:
        yield f"# {_ASKED}: its inputs"
    else:
        yield f"# {_ASKED}: the architecture, as torchvision:NAME, timm:NAME, FILE.py:CLASS or PACKAGE.MODULE:CLASS"
        yield '# arch = "net.py:Net"'
    yield '# inputs = ["image=N,3,224,224"]'


def _ids(models: Sequence[Checkpoint], target: Path) -> Iterator[str]:
    entries = []
    for index, model in enumerate(models):
        options = ModelTable.model_validate({"source": _relative(model.path, target)})
        located = locate(options.source[0].location, target.absolute().parent)[0]
        entries.append(Entry(index, frozenset(), options, options.source[0], located, several=False))
    return (entry.id for entry in with_ids(entries))


def _image_folders(folder: Path) -> list[tuple[Path, int]]:
    """The outermost folders that hold images, with how many; those named as if made for it first."""
    from verify.samples.image_folder import image_files

    found = []
    for candidate in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        count = len(image_files(candidate))
        if count >= _FEWEST_IMAGES:
            found.append((candidate, count))
    return sorted(found, key=lambda item: (_rank(item[0].name), item[0].name))


def _rank(name: str) -> int:
    words = [place for place, word in enumerate(_WORDS_OF_CALIBRATION) if word in name.lower()]
    return words[0] if words else len(_WORDS_OF_CALIBRATION)


def _relative(path: Path, target: Path) -> str:
    return Path(os.path.relpath(path.absolute(), target.absolute().parent)).as_posix()


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
