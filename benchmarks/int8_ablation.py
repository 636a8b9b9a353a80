"""What each correction contributes on each subject: none, each alone, all, all but each, and what ``auto`` comes to.

python benchmarks/int8_table.py --ablation [NET …]      writes docs/int8_ablation.md and .json
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from int8_engines import quantize_ours
from int8_nets import ROOT, Net, prepare
from int8_row import JUDGES, Judged
from int8_scoring import run_file
from int8_types import Quality, cached, key_of

from quantize.correction.names import Correction
from verify.errors import ToolError

NONE, AUTO = "none", "auto"
LEGEND = """\
SQNR in dB of the int8 file against the float32 file on the evaluation samples, of the worst output; in brackets, in
points, how much the task's measure falls. Calibration, samples and code are the same in every column.
"""


@dataclass(frozen=True)
class Variant:
    """Our int8 file with these corrections; ``failed`` says why there is none."""

    corrections: str
    quality: Quality | None = None
    failed: str = ""


@dataclass(frozen=True)
class Ablation:
    """One net with every choice of corrections."""

    name: str
    variants: tuple[Variant, ...]


def choices(switches: Iterable[str] = tuple(map(str, Correction))) -> tuple[str, ...]:
    """Values of ``--corrections``: none, each alone, all but each, all, auto; no choice twice."""
    known = tuple(switches)
    without = [tuple(each for each in known if each != left_out) for left_out in known]
    sets = [(each,) for each in known] + without + [known]
    return tuple(dict.fromkeys([NONE, *(",".join(each) for each in sets if each), AUTO]))


def ablate(net: Net, folder: Path, *, again: bool = False) -> Ablation:
    """Every choice's file, made and judged; what today's code has made already is kept unless ``again``."""
    with tempfile.TemporaryDirectory() as scratch:
        judged = Judged(prepare(net, folder), folder, Path(scratch), again)
        return Ablation(net.name, tuple(_variant(judged, choice) for choice in choices()))


def _variant(judged: Judged, corrections: str) -> Variant:
    key = key_of(judged.net.key, corrections, JUDGES, ROOT / "quantize", ROOT / "verify")

    def compute() -> Variant:
        path = judged.scratch / "ablated.tflite"
        try:
            quantize_ours(judged.net, path, corrections)
            return Variant(corrections, judged.quality(run_file(path, judged.net, judged.scratch)))
        except ToolError as error:
            return Variant(corrections, failed=str(error).splitlines()[0][:300])

    return cached(judged.folder / "ablation" / f"{corrections}.json", key, Variant, compute, again=judged.again)


def render(ablations: Sequence[Ablation]) -> str:
    """The page: one table, a column a choice."""
    header = ["net", *choices()]
    lines = ["# What each correction contributes", "", "Made by `make int8-ablation`.", "", LEGEND]
    lines += [_line(header), _line(["---"] * len(header))]
    for each in ablations:
        found = {variant.corrections: variant for variant in each.variants}
        lines.append(_line([each.name, *(_cell(found.get(choice)) for choice in choices())]))
    return "\n".join(lines) + "\n"


def _cell(variant: Variant | None) -> str:
    if variant is None:
        return "—"
    if variant.quality is None or variant.quality.sqnr_db is None:
        return "fails"
    drop = variant.quality.drop
    return f"{variant.quality.sqnr_db:.1f}" + ("" if drop is None else f" ({100 * drop:+.1f})")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
