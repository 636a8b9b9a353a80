"""Runs ONNX's own backend node tests through every road and writes docs/onnx_ops.md and .json.

    python benchmarks/onnx_ops.py [--only PREFIX …] [--again] [--no-onnx2tf]

The roads: the exact lowering in TensorFlow, the TFLite file that comes of it in LiteRT, and onnx2tf's in LiteRT.
Results are kept by case name in ``--kept``; a second run goes on where the first one stopped. About ten minutes
without onnx2tf, hours with it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / "convert"), str(ROOT / "tests")]

from node_cases import case_names, read_case  # noqa: E402
from node_exclusions import EXCLUSIONS, exclusion  # noqa: E402
from node_onnx2tf import Onnx2tfRoad  # noqa: E402
from node_runner import run_cases  # noqa: E402

ROADS = {"tensorflow": "exact, TensorFlow", "litert": "exact, LiteRT", "onnx2tf": "onnx2tf, LiteRT"}
SAVE_EVERY = 25

INTRODUCTION = """# ONNX's node tests

Made by `make ops`. Every node test in the `onnx` {version} wheel, {count} of them, the expanded functions too, each
with the inputs and the expected outputs that come with it. *exact, TensorFlow* and *exact, LiteRT* are `convert`'s own
lowering, run as a traced function and as a compiled `.tflite` of builtins; *onnx2tf, LiteRT* is onnx2tf's Keras model
compiled the same way, with the test's own inputs as its probe, any order of the output's axes and any width of its type
accepted, and a second try with all inputs but the first bound as constants.

*same*: equal up to float32 rounding (1e-4 relative, 2e-5 absolute; float16 2e-3), integers and booleans bit by bit.
*different*: a wrong result. *refused*: an error that says what is not supported. *failed*: any other error or a crash.
*excluded*: TFLite cannot express the case; the reasons and the cases are listed below. The per cent are of what is not
excluded. What the exact lowering excludes in LiteRT is excluded for onnx2tf too.

Inputs that TFLite wants to know when it compiles (axes, shapes, weights …) are bound as constants where a case is
refused otherwise; {bound} cases pass with such inputs, which `docs/onnx_ops.json` names.

"""


def run_exact(names: tuple[str, ...], rows: dict[str, Any], kept: Path) -> None:
    """Both exact roads for the cases that have no row yet."""
    todo = tuple(name for name in names if "litert" not in rows.get(name, {}))
    with tempfile.TemporaryDirectory() as folder:
        for index, result in enumerate(run_cases(todo, Path(folder)), start=1):
            row = rows.setdefault(result.name, {})
            row |= {road: dataclasses.asdict(getattr(result, road)) for road in ("tensorflow", "litert")}
            _progress(index, len(todo), rows, kept)


def run_onnx2tf(names: tuple[str, ...], rows: dict[str, Any], kept: Path) -> None:
    """onnx2tf for the cases that are not excluded, with the same inputs bound as constants."""
    todo = [name for name in names if "onnx2tf" not in rows[name] and exclusion(read_case(name), "litert") is None]
    with tempfile.TemporaryDirectory() as folder, Onnx2tfRoad(Path(folder)) as road:
        for index, name in enumerate(todo, start=1):
            rows[name]["onnx2tf"] = dataclasses.asdict(road.run(name, tuple(rows[name]["litert"]["constants"])))
            _progress(index, len(todo), rows, kept)


def _progress(index: int, count: int, rows: dict[str, Any], kept: Path) -> None:
    if index % SAVE_EVERY == 0 or index == count:
        kept.write_text(json.dumps(rows))
        print(f"{index} of {count}", flush=True)


def table(names: tuple[str, ...], rows: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry a case: its op, and on each road what came of it and why it does not count, if it does not."""
    cases = []
    for name in names:
        case = read_case(name)
        entry: dict[str, Any] = {"name": name, "op": op_of(name, case.ops)}
        for road in ROADS:
            if road in rows[name] or road == "onnx2tf":
                reason = exclusion(case, "litert" if road == "onnx2tf" else road)
                outcome = {"result": "not run", "detail": "", **rows[name].get(road, {})}
                entry[road] = {**outcome, "detail": _one_line(outcome["detail"]), "excluded": reason}
        cases.append(entry)
    return cases


def op_of(name: str, ops: tuple[str, ...]) -> str:
    """The op that a case is about: an expanded function's name lives in that of the case it was expanded from."""
    plain = name.removesuffix("_expanded").split("_expanded_ver")[0]
    if plain != name:
        try:
            return op_of(plain, read_case(plain).ops)
        except FileNotFoundError:
            return "others"
    return ops[0] if len(ops) == 1 else next((op for op in ops if op.lower() in name.replace("_", "")), "others")


def markdown(cases: list[dict[str, Any]], version: str) -> str:
    """Totals, a row an op, what is not right with its reason, and what is excluded with its reason."""
    bound = sum(bool(c["litert"]["constants"]) and c["litert"]["result"] == "same" for c in cases)
    parts = [INTRODUCTION.format(version=version, count=len(cases), bound=bound), _totals(cases), _by_op(cases)]
    return "\n".join([*parts, _shortfalls(cases), _excluded(cases)])


def _totals(cases: list[dict[str, Any]]) -> str:
    results = ("same", "refused", "failed", "different")
    lines = [f"## In all\n\n|road|counted|{'|'.join(results)}|per cent|excluded|not run|", "|---|" + "--:|" * 8]
    for road, title in ROADS.items():
        counts = _counts(cases, road)
        total = sum(counts[result] for result in results)
        numbers = "|".join(str(counts[result]) for result in results)
        share = f"{100 * counts['same'] / total:.1f}" if total else "–"
        lines.append(f"|{title}|{total}|{numbers}|{share}|{counts['excluded']}|{counts['not run']}|")
    return "\n".join(lines) + "\n"


def _counts(cases: list[dict[str, Any]], road: str) -> Counter[str]:
    return Counter("excluded" if case[road]["excluded"] else case[road]["result"] for case in cases)


def _by_op(cases: list[dict[str, Any]]) -> str:
    grouped = defaultdict(list)
    for case in cases:
        grouped[case["op"]].append(case)
    lines = ["## By op\n", "Cases that are the same, of those that count.\n", f"|op|{'|'.join(ROADS.values())}|"]
    lines.append("|---|" + "--:|" * len(ROADS))
    for op in sorted(grouped):
        cells = []
        for road in ROADS:
            counts = _counts(grouped[op], road)
            total = sum(counts.values()) - counts["excluded"] - counts["not run"]
            cells.append(f"{counts['same']}/{total}" if total else "–")
        lines.append(f"|{op}|{'|'.join(cells)}|")
    return "\n".join(lines) + "\n"


def _shortfalls(cases: list[dict[str, Any]]) -> str:
    lines = ["## What the exact lowering does not do\n"]
    for road in ("tensorflow", "litert"):
        short = [c for c in cases if not c[road]["excluded"] and c[road]["result"] != "same"]
        lines.append(f"\n### {ROADS[road]}\n")
        lines += [f"- `{c['name']}`: {c[road]['result']}: {_one_line(c[road]['detail'])}" for c in short]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.replace(sys.prefix, "…").replace("|", "/").split())[:200]


def _excluded(cases: list[dict[str, Any]]) -> str:
    lines = ["## What is excluded\n"]
    for rule in EXCLUSIONS:
        for road in rule.roads:
            names = [case["name"] for case in cases if case[road]["excluded"] == rule.reason]
            if names:
                where = "" if len(rule.roads) > 1 else f" ({ROADS[road]} only)"
                lines.append(f"- **{rule.reason}**{where}, {len(names)}: " + ", ".join(f"`{n[5:]}`" for n in names))
                break
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["test_"], help="prefixes of case names")
    parser.add_argument("--again", action="store_true", help="run the exact lowering again; onnx2tf's results stay")
    parser.add_argument("--no-onnx2tf", action="store_true", help="do not run onnx2tf; kept results stay")
    parser.add_argument("--kept", type=Path, default=ROOT / "build" / "onnx_ops.json")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "onnx_ops")
    arguments = parser.parse_args()
    arguments.kept.parent.mkdir(parents=True, exist_ok=True)
    rows = json.loads(arguments.kept.read_text()) if arguments.kept.is_file() else {}
    names = case_names(arguments.only)
    if arguments.again:
        rows = {name: {road: row[road] for road in row if road == "onnx2tf"} for name, row in rows.items()}
    run_exact(names, rows, arguments.kept)
    if not arguments.no_onnx2tf:
        run_onnx2tf(names, rows, arguments.kept)
    write(names, rows, arguments.out)


def write(names: tuple[str, ...], rows: dict[str, Any], out: Path) -> None:
    """``out.md`` and ``out.json``."""
    import onnx

    cases = table(names, rows)
    out.with_suffix(".md").write_text(markdown(cases, onnx.__version__))
    lines = ",\n".join(json.dumps(case) for case in cases)
    out.with_suffix(".json").write_text(f'{{"onnx": "{onnx.__version__}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
