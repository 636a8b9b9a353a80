"""What each way to choose ranges and each correction contributes on each subject, all else the same.

python benchmarks/int8_table.py --ablation [NET …]      writes docs/int8_ablation.md and .json
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from int8_engines import quantize_ours
from int8_nets import ROOT, Net, prepare
from int8_row import JUDGES, Judged
from int8_scoring import run_file
from int8_types import Quality, cached, key_of

from quantize.calibration.method_names import RangesOption
from quantize.correction.names import AUTO as CORRECTED_BY_DEFAULT
from quantize.correction.names import EXACT, NAMES
from verify.errors import ToolError

NONE, AUTO = "none", "auto"
LEGEND = """\
SQNR in dB of the int8 file against the float32 file on the evaluation samples, of the worst output; in brackets, in
points, how much the task's measure falls. Calibration samples and code are the same in every column.
"""


@dataclass(frozen=True)
class Choice:
    """Values of ``--ranges`` and ``--corrections``."""

    ranges: str = AUTO
    corrections: str = AUTO


@dataclass(frozen=True)
class Variant:
    """Our int8 file by that choice; ``failed`` says why there is none."""

    choice: Choice
    quality: Quality | None = None
    failed: str = ""


@dataclass(frozen=True)
class Ablation:
    """One net by every choice."""

    name: str
    variants: tuple[Variant, ...]


RANGES = tuple(Choice(str(method.value), NONE) for method in RangesOption)
"""Every way to choose ranges, nothing corrected."""


def corrections(
    switches: Sequence[str] = NAMES, usual: Sequence[str] = tuple(map(str, CORRECTED_BY_DEFAULT))
) -> tuple[Choice, ...]:
    """None, each alone, what ``auto`` comes to, and that without its changes of the float model, without those of
    rounding, and with each other one; no choice twice.
    """
    exact = tuple(each for each in usual if each in EXACT)
    rounding = tuple(each for each in usual if each not in EXACT)
    others = [tuple(each for each in switches if each in usual or each == other) for other in switches]
    sets = [*((each,) for each in switches), exact, rounding]
    more = [each for each in others if set(each) != set(usual)]
    named = dict.fromkeys([NONE, *(",".join(each) for each in sets if each), AUTO, *(",".join(each) for each in more)])
    return tuple(Choice(AUTO, each) for each in named)


def ablate(net: Net, folder: Path, *, again: bool = False) -> Ablation:
    """Every choice's file, made and judged; what today's code has made already is kept unless ``again``."""
    with tempfile.TemporaryDirectory() as scratch:
        judged = Judged(prepare(net, folder), folder, Path(scratch), again)
        choices = dict.fromkeys((*RANGES, *corrections()))
        return Ablation(net.name, tuple(_variant(judged, choice) for choice in choices))


def _variant(judged: Judged, choice: Choice) -> Variant:
    own = [ROOT / "quantize", ROOT / "verify"]
    key = key_of(judged.net.key, choice.ranges, choice.corrections, JUDGES, *own)

    def compute() -> Variant:
        path = judged.scratch / "ablated.tflite"
        try:
            quantize_ours(judged.net, path, ranges=choice.ranges, corrections=choice.corrections)
            return Variant(choice, judged.quality(run_file(path, judged.net, judged.scratch)))
        except ToolError as error:
            return Variant(choice, failed=str(error).splitlines()[0][:300])

    kept = judged.folder / "ablation" / f"{choice.ranges} {choice.corrections}.json"
    return cached(kept, key, Variant, compute, again=judged.again)


def render(ablations: Sequence[Ablation]) -> str:
    """The page: a table of ranges and one of corrections, a column a choice."""
    lines = ["# What ranges and corrections contribute", "", "Made by `make int8-ablation`.", "", LEGEND]
    lines += ["## `--ranges`, with `--corrections none`", ""]
    lines += [*_table(ablations, RANGES, [each.ranges for each in RANGES]), ""]
    lines += [
        "## `--corrections`, with `--ranges auto`",
        "",
        f"`auto` is {', '.join(CORRECTED_BY_DEFAULT)}. A row with — is of the code before those columns: its `auto` is",
        "gptq, bias, and its `equalize` took the mean of the samples' extremes.",
        "",
    ]
    lines += [*_table(ablations, corrections(), [each.corrections for each in corrections()])]
    return "\n".join(lines) + "\n"


def _table(ablations: Sequence[Ablation], choices: Sequence[Choice], titles: Sequence[str]) -> list[str]:
    lines = [_line(["net", *titles]), _line(["---"] * (1 + len(choices)))]
    for each in ablations:
        found = {variant.choice: variant for variant in each.variants}
        lines.append(_line([each.name, *(_cell(found.get(choice)) for choice in choices)]))
    return lines


def _cell(variant: Variant | None) -> str:
    if variant is None:
        return "—"
    if variant.quality is None or variant.quality.sqnr_db is None:
        return "fails"
    drop = variant.quality.drop
    return f"{variant.quality.sqnr_db:.1f}" + ("" if drop is None else f" ({100 * drop:+.1f})")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
