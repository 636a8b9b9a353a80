"""What a schema cannot say of an entry: values that do not go together, or that another part of the tool refuses."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from convert.zoo.job import Target
from convert.zoo.manifest.entries import Entry
from convert.zoo.manifest.planning import NAMED, targets_of
from convert.zoo.manifest.source_names import LIBRARIES, locate
from convert.zoo.result import Outcome
from verify.errors import InputError

LONGEST_ACCEPTANCE = timedelta(days=2 * 366)
"""A failure accepted for longer is one that nobody will look at again."""


@dataclass(frozen=True)
class Finding:
    """A key of a model, what is wrong with its value, and what to do about it."""

    key: str
    what: str
    fix: str


def findings(entry: Entry, today: date) -> Iterator[Finding]:
    """Everything wrong with one entry."""
    for check in (_weights, _checksum, _architecture, _inputs, _layout, _targets, _budgets):
        yield from check(entry)
    yield from _expectations(entry, today)


def _weights(entry: Entry) -> Iterator[Finding]:
    if entry.located.kind in NAMED:
        return
    if entry.source.weights is not None or entry.source.seed is not None or "weights" in entry.own_keys:
        what = f"{entry.located.location} has weights of its own"
        yield Finding("weights", what, "leave weights and seed to architectures by name (torchvision:NAME, timm:NAME)")


def _checksum(entry: Entry) -> Iterator[Finding]:
    if entry.several and entry.options.sha256 is not None:
        what = "one hash was given for a source that means several checkpoints"
        yield Finding("sha256", what, 'write it with each: source = [{ location = "a.pth", sha256 = "…" }]')


def _architecture(entry: Entry) -> Iterator[Finding]:
    arch = entry.options.arch
    if arch is None:
        return
    library, _, name = arch.rpartition(":")
    if entry.located.kind in NAMED and "arch" in entry.own_keys:
        yield Finding("arch", "the source is an architecture already", "leave arch away")
    elif not library or not name:
        close = [f"torchvision:{arch}"] if _is_known(f"torchvision:{arch}") else []
        yield Finding(
            "arch",
            f"{arch!r} names no library, file or module{_meant(close)}",
            "write torchvision:NAME, timm:NAME, FILE.py:CLASS or PACKAGE.MODULE:CLASS",
        )
    elif library in LIBRARIES:
        yield from _refused("arch", lambda: _located_name(arch))


def _located_name(arch: str) -> None:
    from pathlib import Path

    locate(arch, Path())


def _is_known(arch: str) -> bool:
    try:
        _located_name(arch)
    except InputError:
        return False
    return True


def _inputs(entry: Entry) -> Iterator[Finding]:
    from verify.checkpoint.input_specs import parse_input

    for text in entry.options.inputs or ():
        yield from _refused("inputs", lambda text=text: parse_input(text))  # type: ignore[misc]


def _layout(entry: Entry) -> Iterator[Finding]:
    for text in entry.options.layout or ():
        name, _, axes = text.partition("=")
        if not name or not axes:
            yield Finding("layout", f"{text!r} is not NAME=AXES", "write it as image=NCHW")


def _targets(entry: Entry) -> Iterator[Finding]:
    if Target.INT8 in targets_of(entry.options) and entry.options.calibration is None:
        what = "int8 was asked for and nothing to calibrate it on"
        yield Finding("targets", what, 'give calibration = "photos/", or use dynamic_int8, which needs none')


def _budgets(entry: Entry) -> Iterator[Finding]:
    table = entry.options.budgets
    if table is None or "budgets" not in entry.own_keys:
        return
    made = targets_of(entry.options)
    for target in dict.fromkeys((*table.max_size, *table.min_top1)):
        if target not in made:
            what = f"{target} has a budget and is not made"
            yield Finding("budgets", what, f"this model makes {', '.join(made)}: name one of them, or add to targets")


def _expectations(entry: Entry, today: date) -> Iterator[Finding]:
    for expect in entry.options.expect or ():
        if expect.outcome is Outcome.OK:
            yield Finding("expect", "ok is no failure to accept", "leave the expectation away: ok is what is expected")
        if expect.expires > today + LONGEST_ACCEPTANCE:
            what = f"it expires on {expect.expires}, more than two years from now"
            yield Finding("expect", what, "choose a nearer day: what never expires is never looked at again")
        if expect.target is not None and expect.target not in targets_of(entry.options):
            yield Finding("expect", f"{expect.target} is expected to fail and is not made", "check target")
        unknown = [key for key in expect.when if key not in entry.cell]
        if unknown:
            keys = list(entry.cell)
            what = f"when names {unknown[0]!r}, which is no key of the matrix"
            yield Finding("expect", what + _meant(difflib.get_close_matches(unknown[0], keys)), _matrix_keys(keys))


def _matrix_keys(keys: list[str]) -> str:
    return f"it has {', '.join(keys)}" if keys else "leave when away: the model has no matrix"


def _meant(close: list[str]) -> str:
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _refused(key: str, attempt: Callable[[], object]) -> Iterator[Finding]:
    """What another part of the tool says to a value, if it refuses it."""
    try:
        attempt()
    except InputError as error:
        yield Finding(key, error.what.replace("--input ", ""), error.fix)
