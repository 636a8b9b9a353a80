"""Runs the zoos of ``benchmarks/coverage/`` and writes docs/coverage.md and .json: what converts, how well, how fast.

    python benchmarks/coverage.py                      run what is not there yet, then write the page (hours)
    python benchmarks/coverage.py --render             write the page from what is there
    python benchmarks/coverage.py --filter tag=quick   only models that the filter chooses, as `convert zoo` takes it
    python benchmarks/coverage.py --missing            only models that have no result of any code

It may be stopped at any time and goes on where it stood. Rows of other code than today's stay until they are run again,
and the page says which they are.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

from coverage_page import render
from coverage_rows import read_zoo, refused_rows, zoo_rows
from coverage_run import Options, ZooFile, run
from coverage_types import Row

from convert.workspace import code_sha256
from convert.zoo.files import last_result
from convert.zoo.manifest import select
from convert.zoo.places import Places
from verify.atomic import write_text
from verify.errors import InputError
from verify.jsonio import to_jsonable
from verify.versions import versions

ROOT = Path(__file__).parent.parent
MANIFESTS = ROOT / "benchmarks" / "coverage"
NAMES = ("torchvision", "timm", "systems")
REFUSED = MANIFESTS / "refused.toml"


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, and the running zoo with it
    options = arguments()
    manifests = [path for path in (MANIFESTS / f"{name}.toml" for name in NAMES) if path.is_file()]
    if not options.render:
        files = [file for path in manifests if (file := chosen(path, options)) is not None]
        if not files:
            raise SystemExit(f"no zoo has a model that --filter {' '.join(options.filters)} chooses")
        python = options.peers.absolute() if options.peers.is_file() else None
        run(files, Options(options.output, options.jobs, not options.no_onnx2tf, python, options.again))
    rows = [row for path in manifests for row in zoo_rows(read_zoo(path), options.output)]
    write_page([*rows, *refused_rows(REFUSED)], options.docs)
    return 0


def chosen(manifest: Path, options: argparse.Namespace) -> ZooFile | None:
    """The part of a zoo that is asked for; ``None`` where a filter chooses none of it."""
    zoo = read_zoo(manifest)
    places = Places(options.output / zoo.name)
    try:
        zoo = select(zoo, options.filters) if options.filters else zoo
    except InputError:
        return None
    if options.missing:
        zoo = replace(zoo, models=tuple(model for model in zoo.models if last_result(places.jobs, model.id) is None))
    return ZooFile(manifest, zoo, places)


def write_page(rows: list[Row], docs: Path) -> None:
    """The page, and the same as data beside it."""
    libraries = [(name, version) for name, version in versions() if name != "platform"]
    facts = {"code": code_sha256(), "versions": libraries}
    docs.parent.mkdir(parents=True, exist_ok=True)
    data = {**facts, "rows": to_jsonable(tuple(rows), tuple[Row, ...])}
    write_text(docs.with_suffix(".json"), json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    write_text(docs, render(rows, code_sha256(), libraries))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--render", action="store_true", help="run nothing")
    parser.add_argument("--filter", action="append", dest="filters", help="tag=…, id=…, tier=…; repeat to narrow")
    parser.add_argument("--missing", action="store_true", help="run only what has no result of any code")
    parser.add_argument(
        "--jobs", type=int, default=1, help="conversions at a time; latencies are of a quiet machine at 1"
    )
    parser.add_argument("--again", action="store_true", help="run what has a result too, for a peer that is new, say")
    parser.add_argument("--no-onnx2tf", action="store_true", help="do not run onnx2tf beside")
    parser.add_argument(
        "--peers", type=Path, default=ROOT / ".venv-peers" / "bin" / "python", help="after `make peers`"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "coverage")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "coverage.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
