"""What a person sees after ``verify --self-test``: the count first, then each fault by what came of it."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from verify.errors import ExitCode
from verify.faults.result import FaultResult, Outcome, SelfTest

_SECTIONS = (
    (Outcome.SLIPPED, "Slipped through:"),
    (Outcome.DETECTED, "Detected:"),
    (Outcome.HARMLESS, "Harmless, they change no output beyond rounding:"),
    (Outcome.WITHIN_NOISE, "Not told from its quantization, which is as far off by itself:"),
    (Outcome.NOT_APPLICABLE, "Not applicable:"),
)


def render_self_test(test: SelfTest, console: Console) -> None:
    """Print it; reads the same without colour."""
    style = "bold green" if test.passed else "bold red"
    _print(
        console, Text.assemble((test.headline, style), f"  faults in copies of {test.actual}, against {test.expected}")
    )
    if not test.clean_passes:
        _print(console, Text(f"  {test.actual} itself does not agree: {test.clean}", "red"))
    _print(console, Text(f"  {test.samples}; judged by {test.budget}"))
    if (advice := _advice(test)) is not None:
        _print(console, Text(f"  {advice}"))
    for outcome, heading in _SECTIONS:
        found = test.of(outcome)
        if found:
            _print(console, Text(f"\n{heading}", "bold"))
        for result in found:
            _print(console, Text(f"  {_line(result)}"))


def to_json(test: SelfTest) -> str:
    """All of it as JSON."""
    import json

    from verify.jsonio import to_jsonable

    return json.dumps(to_jsonable(test), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def self_test_exit_code(test: SelfTest) -> ExitCode:
    """1 when a fault slipped through, or the model itself does not agree; 5 when no fault changed anything."""
    if test.passed:
        return ExitCode.PASS
    if test.clean_passes and not test.harmful:
        return ExitCode.INCONCLUSIVE
    return ExitCode.PARITY_FAILED


def _line(result: FaultResult) -> str:
    where = f" ({result.where})" if result.where else ""
    return f"{result.title}{where}: {result.evidence}"


def _advice(test: SelfTest) -> str | None:
    tight = [result for result in test.harmful if result.noticed_when_tight]
    if test.tight_sqnr_db is None or not test.of(Outcome.SLIPPED):
        return None
    return (
        f"The model reaches more than this budget asks: with --min-sqnr-db {test.tight_sqnr_db:.1f}, or its "
        f"drift recorded by --lock, {len(tight)}/{len(test.harmful)} would be detected."
    )


def _print(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=True)
