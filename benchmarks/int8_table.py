"""int8 of every subject by TensorFlow's converter, by ai-edge-quantizer and by ours, on the same samples, in one run.

    python benchmarks/int8_table.py [NET …] [--ablation] [--again] [--render]

Trained subjects come from examples/int8/train.py, the others are torchvision's with random weights. May be stopped at
any time and goes on where it stood: what an engine made is made again only when its code, the float file or the samples
have changed. Files stay in build/int8_table/NET/. ``--ablation`` tells instead what each correction contributes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import int8_ablation
import int8_page
import int8_promises
from int8_nets import NETS, ROOT
from int8_row import measure
from int8_types import Int8Row

from verify.atomic import write_text
from verify.jsonio import from_jsonable, to_jsonable

BUILD = ROOT / "build" / "int8_table"


@dataclass(frozen=True)
class Page:
    """What a run makes of each net, and how all of it is shown."""

    kind: type[Any]
    measure: Callable[..., Any]
    render: Callable[[list[Any]], str]
    stem: str


TABLE = Page(Int8Row, measure, int8_page.render, "int8")
ABLATION = Page(int8_ablation.Ablation, int8_ablation.ablate, int8_ablation.render, "int8_ablation")


def main() -> int:
    """Exit status 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "nets", nargs="*", metavar="NET", help="only these; torchvision: stands for all of torchvision's"
    )
    parser.add_argument("--ablation", action="store_true", help="each correction alone, left out, and all together")
    parser.add_argument("--again", action="store_true", help="make everything but the float files again")
    parser.add_argument("--render", action="store_true", help="only write the page")
    parser.add_argument("--build", type=Path, default=BUILD)
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of the page and its JSON")
    options = parser.parse_args()
    page = ABLATION if options.ablation else TABLE
    rows = {row.name: row for row in _kept(page, options.out)}
    wanted = [
        net for net in NETS if not options.nets or {net.name, net.name.partition(":")[0] + ":"} & set(options.nets)
    ]
    for net in wanted if not options.render else ():
        started = time.perf_counter()
        rows[net.name] = page.measure(net, options.build / net.name.replace(":", "_"), again=options.again)
        print(f"{net.name}: {time.perf_counter() - started:.0f} s", flush=True)
        write_page(page, rows, options.out)
    write_page(page, rows, options.out)
    return 0 if page is ABLATION or all(holds for _, _, holds in int8_promises.promises(list(rows.values()))) else 1


def write_page(page: Page, rows: dict[str, Any], folder: Path) -> None:
    """The page and its JSON, after each net: a long run may be cut short."""
    ordered = [rows[net.name] for net in NETS if net.name in rows]
    text = json.dumps(to_jsonable(ordered, list[page.kind]), indent=1)
    write_text(folder / f"{page.stem}.json", text + "\n")
    write_text(folder / f"{page.stem}.md", page.render(ordered))


def _kept(page: Page, folder: Path) -> list[Any]:
    path = folder / f"{page.stem}.json"
    return from_jsonable(list[page.kind], json.loads(path.read_text())) if path.is_file() else []


if __name__ == "__main__":
    sys.exit(main())
