"""The published op lists of the runtimes, as stored in ``runtimes/*.toml`` with their sources and dates.

A ``[[group]]`` gives ops and the conditions under which the runtime takes them. What they mean is in
:mod:`verify.inspection.rules`; operands are counted from 0. ``unchecked`` says in words what is not checked.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).with_name("runtimes")


@dataclass(frozen=True)
class Rule:
    """Under which conditions a runtime takes an op. An absent condition holds."""

    dtypes: tuple[str, ...] = ()
    """Of everything computed that the op takes or gives."""
    dtypes_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By input."""
    ranks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    max_rank: int | None = None
    inner_axes: int | None = None
    """Only that many innermost axes of a computed tensor may be longer than 1, the batch apart."""
    output_inner_axes: int | None = None
    """The same of what the op gives alone."""
    max_elements: int | None = None
    max_version: int | None = None
    inputs: tuple[int, ...] = ()
    """How many."""
    computed_inputs: tuple[int, ...] = ()
    """How many that are not constants."""
    constant: tuple[int, ...] = ()
    computed: tuple[int, ...] = ()
    hybrid: bool = True
    """Whether float inputs may meet integer weights."""
    blockwise: bool = True
    options: Mapping[str, float] = field(default_factory=dict)
    not_options: Mapping[str, float] = field(default_factory=dict)
    equal_options: tuple[str, ...] = ()
    values: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    starts_with: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    only_values: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    not_axes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    unchecked: str = ""


@dataclass(frozen=True)
class Group:
    """Ops that share a rule."""

    ops: tuple[str, ...]
    rule: Rule


@dataclass(frozen=True)
class FileRule:
    """What a runtime asks of a whole file."""

    fixed_shapes: bool = False
    """No axis may be left open."""
    static_sizes: bool = False
    """No size may be known only while the model runs: see :mod:`verify.inspection.run_time_sizes`."""
    unpacks_constants: bool = False
    """Whether it takes float16 and sparse constants together with the op that unpacks them."""
    parts: int | None = None
    """How many parts of a graph it takes at most, as it is set by default; ``None`` for any."""
    which: Literal["first", "largest"] = "first"
    """Which of them."""


@dataclass(frozen=True)
class Runtime:
    """A runtime and its published list."""

    id: str
    name: str
    source: str
    as_of: str
    version: str
    note: str
    file: FileRule
    every: Rule
    groups: tuple[Group, ...]

    def rule(self, op: str) -> Rule | None:
        """Of an op by TFLite's name; ``None`` when it is not in the list."""
        return next((group.rule for group in self.groups if op in group.ops), None)


@functools.cache
def runtimes() -> tuple[Runtime, ...]:
    """Every stored list, in the order in which they are shown."""
    order = ("gpu", "nnapi", "qualcomm_npu", "edge_tpu", "micro")
    paths = sorted(FOLDER.glob("*.toml"), key=lambda path: order.index(path.stem) if path.stem in order else len(order))
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Runtime:
    from verify.jsonio import from_jsonable

    data = tomllib.loads(path.read_text(encoding="utf-8"))
    groups = [{"ops": group.pop("ops"), "rule": group} for group in data.pop("group")]
    runtime: Runtime = from_jsonable(Runtime, {"id": path.stem, "file": {}, "every": {}, **data, "groups": groups})
    return runtime
