"""The ``verify`` command: parses and prints; :mod:`verify.pair` does the work. Importing this imports no framework."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from verify.console import progress_console, result_console, run_app
from verify.errors import ExitCode

if TYPE_CHECKING:
    from verify.pair import PairReport

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]})


@app.command(no_args_is_help=True)
def verify(  # noqa: PLR0917 - typer reads a command's parameters by name
    expected: Annotated[Path, typer.Argument(help="The model to trust: .onnx, .tflite, or a SavedModel folder.")],
    actual: Annotated[Path, typer.Argument(help="The model to judge, in any of these formats.")],
    samples: Annotated[
        str | None,
        typer.Option(
            "--samples",
            "--data",
            help="Feed these instead of random inputs: a folder of images, .npz/.npy, or module:callable.",
        ),
    ] = None,
    max_samples: Annotated[int, typer.Option(min=1, help="Most samples to feed.")] = 32,
    seed: Annotated[int, typer.Option(help="Seed of random inputs.")] = 0,
    min_sqnr_db: Annotated[
        float | None,
        typer.Option(help="Judge by this SQNR instead of the budget that follows from the files."),
    ] = None,
    layout: Annotated[
        list[str] | None,
        typer.Option(help="How a TensorFlow model without signature.json stores a tensor: image=NHWC."),
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Most seconds that one step may take.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison on stdout as JSON.")] = False,
) -> None:
    """Feed two models the same samples and say whether, where and by how much they differ.

    Exits with 0 when they agree, 1 when they differ, 5 when the samples decide nothing.
    """
    from verify.opening import parse_layout
    from verify.pair import PairSettings, verify_pair
    from verify.samples import parse_samples
    from verify.worker import Limits

    settings = PairSettings(
        layouts=tuple(parse_layout(text) for text in layout or ()),
        max_samples=max_samples,
        min_sqnr_db=min_sqnr_db,
        limits=Limits(timeout_s=timeout),
    )
    source = parse_samples(samples, seed=seed)
    with progress_console().status(f"running {expected.name} and {actual.name}"):
        report = verify_pair(expected, actual, source, settings)
    if as_json:
        _print_json(report)
    else:
        _print_report(report)
    raise typer.Exit(int(_exit_code(report)))


def _exit_code(report: PairReport) -> ExitCode:
    codes = {"pass": ExitCode.PASS, "fail": ExitCode.PARITY_FAILED, "inconclusive": ExitCode.INCONCLUSIVE}
    return codes[report.edge.verdict.value]


def _print_json(report: PairReport) -> None:
    import json

    from verify.jsonio import to_jsonable

    text = json.dumps(to_jsonable(report), indent=2, ensure_ascii=False, allow_nan=False)
    result_console().print(text, markup=False, soft_wrap=True)


def _print_report(report: PairReport) -> None:
    from rich.text import Text

    styles = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow"}
    verdict = report.edge.verdict.value
    console = result_console()
    console.print(
        Text.assemble((verdict.upper(), styles[verdict]), f"  {report.actual.name} against {report.expected.name}"),
        soft_wrap=True,
    )
    sizes = ", ".join(str(size) for size in sorted(set(report.edge.batch_sizes)))
    lines = [f"  {output.name}: {output.explanation}" for output in report.edge.outputs]
    lines += [f"  samples: {report.samples}; batches of {sizes}", f"  judged against: {report.edge.budget}"]
    lines += [f"  {note}" for note in report.notes]
    lines += [f"  left out: {refusal.subject}: {refusal.reason}" for refusal in report.refusals]
    if report.expected_latency_ms is not None and report.actual_latency_ms is not None:
        lines.append(
            f"  one sample takes {report.expected_latency_ms:.2f} ms in {report.expected.name}, "
            f"{report.actual_latency_ms:.2f} ms in {report.actual.name}"
        )
    console.print("\n".join(lines), markup=False, soft_wrap=True)


def main() -> NoReturn:
    """Entry point. A polite end (SIGTERM) cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)
    run_app(app)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal handlers are called
    raise KeyboardInterrupt
