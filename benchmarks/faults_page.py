"""docs/faults.md: which faults are noticed in which files, and what is said of conversions that have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from faults_types import Clean, Tested

from verify.faults.result import FaultResult, Outcome, SelfTest

_MARKS = {
    Outcome.DETECTED: "✓",
    Outcome.SLIPPED: "**✗**",
    Outcome.HARMLESS: "=",
    Outcome.WITHIN_NOISE: "≈",
    Outcome.NOT_APPLICABLE: "",
}
_INTRODUCTION = """# Faults

Made by `make faults`. `verify --self-test A B` puts faults of {kinds} kinds into copies of B, one at a time, and judges
each copy against A as `verify A B` judges B. B is the ONNX file (A the float TFLite file), the float TFLite file (A the
ONNX file) or the int8 TFLite file (A the float one) of {models} small nets with random weights, fed 32 random samples.

- ✓ detected: `verify` fails the copy. *✓* in italics: it cannot even be run, or is refused for what it declares.
- **✗** slipped through: the copy's outputs are off beyond what counts, and `verify` passes it.
- = harmless: no output changes beyond the float bound (16 noise floors), most often not by a bit.
- ≈ within noise: an int8 copy's outputs change by less (RMS) than its own quantization is off already.
- Empty: the model has nothing that the fault could change. The reasons are in faults.json.

What a fault changes is measured by comparing the copy with B itself, in the same runtime, apart from the judgement.
"""


def render(tested: Sequence[Tested], clean: Sequence[Clean], libraries: Sequence[tuple[str, str]]) -> str:
    """The page."""
    kinds = [result.kind for result in tested[0].strict.results] if tested else []
    parts = [_INTRODUCTION.format(kinds=len(kinds), models=len({test.subject for test in tested}))]
    parts += ["## Counts\n", _counts(tested), "## Int8 files and their budgets\n", _budgets(tested)]
    parts += ["## Slipped through\n", _slipped(tested)]
    parts += ["## Every kind in every file\n", _matrix(tested), "## Conversions without a fault\n", _clean(clean)]
    parts.append(f"Measured with {', '.join(f'{name} {version}' for name, version in libraries)}.\n")
    return "\n".join(parts)


def _row(cells: Sequence[object]) -> str:
    return f"|{'|'.join(map(str, cells))}|"


def _counts(tested: Sequence[Tested]) -> str:
    heads = ("net", "file", "detected", "of these run", "slipped through", "harmless", "within noise", "not applicable")
    lines = [_row(heads), _row(["---", "---", *["--:"] * 6])]
    totals: Counter[str] = Counter()
    for test in tested:
        numbers = _numbers(test.strict)
        if test.tight is None:
            totals.update(numbers)
        lines.append(_row([test.subject, test.file, _of(numbers), *list(numbers.values())[2:]]))
    lines.append(_row(["all", "onnx and float32", _of(totals), *list(totals.values())[2:]]))
    return "\n".join(lines) + "\n"


def _numbers(test: SelfTest) -> Counter[str]:
    counted = Counter(result.outcome for result in test.results)
    return Counter(
        {
            "detected": counted[Outcome.DETECTED],
            "harmful": len(test.harmful),
            "run": sum(result.ran for result in test.of(Outcome.DETECTED)),
            "slipped": counted[Outcome.SLIPPED],
            "harmless": counted[Outcome.HARMLESS],
            "noise": counted[Outcome.WITHIN_NOISE],
            "none": counted[Outcome.NOT_APPLICABLE],
        }
    )


def _of(numbers: Counter[str]) -> str:
    return f"{numbers['detected']}/{numbers['harmful']}"


def _budgets(tested: Sequence[Tested]) -> str:
    quantized = [test for test in tested if test.tight is not None]
    text = (
        "By default `verify` holds an int8 file to 15 dB SQNR, to what the rounding of each of its ops explains (op by "
        "op, fed what the float model has there), and to following its samples. Beside it: what the file reaches less "
        "1 dB, which `--lock` holds it to and `--self-test` proposes, together with the same two. The other tables "
        "show that stricter judgement.\n"
    )
    heads = (
        "net",
        "it reaches, less 1 dB",
        "detected by that",
        "detected by the default",
        "slipped through the default",
    )
    lines = [text, _row(heads), _row(["---", "--:", "--:", "--:", "---"])]
    for test in quantized:
        assert test.tight is not None
        default = "it fails itself" if test.default is None else _of(_numbers(test.default))
        missed = ", ".join(result.kind for result in test.default.of(Outcome.SLIPPED)) if test.default else ""
        reached = test.tight.budget.removeprefix("at least ").removesuffix(" SQNR")
        lines.append(_row([test.subject, reached, _of(_numbers(test.tight)), default, missed]))
    lines.append(_row(["all", "", _all(quantized, "tight"), _all(quantized, "default"), ""]))
    return "\n".join(lines) + "\n"


def _all(tested: Sequence[Tested], judged_by: str) -> str:
    """``251/254``."""
    found = [test for each in tested if (test := getattr(each, judged_by)) is not None]
    detected = sum(len(test.of(Outcome.DETECTED)) for test in found)
    return f"{detected}/{sum(len(test.harmful) for test in found)}"


def _slipped(tested: Sequence[Tested]) -> str:
    found = [(test, result) for test in tested for result in test.strict.of(Outcome.SLIPPED)]
    if not found:
        return "None.\n"
    lines = ["How much each copy changes, against what counts, and how far it then is from the trusted model:\n"]
    for test, result in found:
        lines.append(f"- {test.subject} {test.file}, {result.title} ({result.where}): {result.evidence}")
    return "\n".join(lines) + "\n"


def _matrix(tested: Sequence[Tested]) -> str:
    short = {"onnx": "onnx", "float32": "tflite", "int8": "int8"}
    lines = [
        _row(["fault", *(f"{test.subject}<br>{short[test.file]}" for test in tested)]),
        _row(["---", *[":-:"] * len(tested)]),
    ]
    for at, result in enumerate(tested[0].strict.results if tested else ()):
        lines.append(_row([result.title, *(_mark(test.strict.results[at]) for test in tested)]))
    return "\n".join(lines) + "\n"


def _mark(result: FaultResult) -> str:
    mark = _MARKS[result.outcome]
    return f"*{mark}*" if result.outcome is Outcome.DETECTED and not result.ran else mark


def _clean(clean: Sequence[Clean]) -> str:
    alarms = [each for each in clean if each.verdict != "pass"]
    edges = sum(each.edges for each in clean)
    text = (
        f"{len(clean)} conversions, {edges} edges: the checkpoint (float32 and float64 PyTorch), its ONNX file and its "
        f"float TFLite file, each against its predecessor and the first. False alarms: {len(alarms)}.\n"
    )
    lines = [text, _row(("net", "verdict", "worst error, × floor (at most 16)")), _row(("---", "---", "--:"))]
    lines += [_row((each.subject, each.verdict, f"{each.worst_floors:.1f}")) for each in clean]
    lines += ["", *(f"- {each.subject}: {each.headline}" for each in alarms)]
    return "\n".join(lines) + "\n"
