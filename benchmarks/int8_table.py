"""int8 of every subject by TensorFlow's converter, by ai-edge-quantizer and by ours, on the same samples, in one run.

    python benchmarks/int8_table.py [NET …] [--again] [--render] [--out docs/int8]

Trained subjects come from examples/int8/train.py, the others are torchvision's with random weights. May be stopped at
any time and goes on where it stood: what an engine made is made again only when its code, the float file or the samples
have changed. Files stay in build/int8_table/NET/.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from int8_nets import NETS, ROOT
from int8_page import promises, render
from int8_row import measure
from int8_types import Int8Row

from verify.atomic import write_text
from verify.jsonio import from_jsonable, to_jsonable

BUILD = ROOT / "build" / "int8_table"


def main() -> int:
    """Exit status 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", metavar="NET", help="only these; a part of a name does")
    parser.add_argument("--again", action="store_true", help="make everything but the float files again")
    parser.add_argument("--render", action="store_true", help="only write the page")
    parser.add_argument("--build", type=Path, default=BUILD)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "int8", help="the page and its JSON, less the suffix"
    )
    options = parser.parse_args()
    rows = {row.name: row for row in _kept(options.out.with_suffix(".json"))}
    wanted = [net for net in NETS if not options.nets or any(part in net.name for part in options.nets)]
    for net in wanted if not options.render else ():
        started = time.perf_counter()
        rows[net.name] = measure(net, options.build / net.name.replace(":", "_"), again=options.again)
        print(f"{net.name}: {time.perf_counter() - started:.0f} s", flush=True)
        write_page(rows, options.out)
    write_page(rows, options.out)
    return 0 if all(holds for _, _, holds in promises(list(rows.values()))) else 1


def write_page(rows: dict[str, Int8Row], out: Path) -> None:
    """The page and its JSON, after each net: a long run may be cut short."""
    ordered = [rows[net.name] for net in NETS if net.name in rows]
    write_text(out.with_suffix(".json"), json.dumps(to_jsonable(ordered, list[Int8Row]), indent=1) + "\n")
    write_text(out.with_suffix(".md"), render(ordered, f", {time.strftime('%Y-%m-%d')}"))


def _kept(path: Path) -> list[Int8Row]:
    return from_jsonable(list[Int8Row], json.loads(path.read_text())) if path.is_file() else []


if __name__ == "__main__":
    sys.exit(main())
