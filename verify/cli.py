"""The ``verify`` command: parses and prints; :mod:`verify.chain` does the work. Importing this imports no framework."""

from __future__ import annotations

import functools
import shlex
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, ParamSpec

import typer

from verify import options
from verify.console import print_error, progress_console, result_console, run_app
from verify.default_command import DEFAULT, DefaultCommandGroup
from verify.errors import InputError, ToolError
from verify.inspection.command import inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from verify.chain.run import Progress
    from verify.chain.settings import ChainSettings
    from verify.report.verification import Verification
    from verify.viewers.installed import Installed

Parameters = ParamSpec("Parameters")

_FORMATS = ("text", "json", "markdown", "junit")

app = typer.Typer(
    cls=DefaultCommandGroup,
    add_help_option=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _verify() -> None:
    """Say whether models agree, how sure that is, and where they part."""


def _annotating(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """With ``--annotations``, what ends a command without a verdict is one of them, on stderr."""

    @functools.wraps(command)
    def annotating(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
        try:
            command(*arguments, **options)
        except ToolError as error:
            if options.get("annotations"):
                from verify.report.annotations import render_error

                sys.stderr.write(f"{render_error(error)}\n")
            raise

    return annotating


@app.command(DEFAULT, no_args_is_help=True)
@_annotating
def models(  # noqa: PLR0917 - typer reads a command's parameters by name
    models: options.Models,
    samples: options.Samples = None,
    max_samples: options.MaxSamples = 32,
    seed: options.Seed = 0,
    inputs: options.Inputs = None,
    layout: options.LayoutTexts = None,
    min_sqnr_db: options.MinSqnr = None,
    max_drop: options.MaxDrop = None,
    arch: options.Arch = None,
    arch_args: options.ArchArgs = None,
    dynamic: options.Dynamic = None,
    output_names: options.OutputNames = None,
    trust_pickle: options.TrustPickle = False,
    partial: options.Partial = False,
    prefer_ema: options.Ema = False,
    part: options.Part = "",
    output: options.Output = None,
    reference: options.SaveReference = None,
    lock: options.LockFile = None,
    update_lock: options.UpdateLock = False,
    format: options.Format = "text",  # noqa: A002 - the option's name
    self_test: options.SelfTest = False,
    layers: options.Layers = False,
    opened: options.Open = False,
    viewer: options.ViewerName = None,
    as_json: options.AsJson = False,
    annotations: options.Annotations = False,
    quiet: options.Quiet = False,
    timeout: options.Timeout = None,
    memory_limit: options.MemoryLimit = None,
) -> None:
    """Feed two or more models the same samples and say whether, where and by how much they differ.

    Each is compared with its predecessor and with the first. Exits with 0 when they agree, 1 when they differ, 5 when
    the samples decide nothing.

    Other commands have their own help: verify inspect --help.
    """
    from dataclasses import replace
    from pathlib import Path

    from verify.chain.judging import floors_of
    from verify.chain.layers import localisations_of
    from verify.chain.reference import save_reference
    from verify.chain.run import run_chain
    from verify.chain.settings import ChainSettings
    from verify.chain.verdict import exit_code, look_at
    from verify.chain.verification import verification_of
    from verify.model import ModelSource
    from verify.opening import parse_layout
    from verify.report.types import Verdict
    from verify.samples import parse_samples
    from verify.task.share import parse_drop
    from verify.viewers.command import viewers_asked_for
    from verify.worker import Limits

    _check_report(format, lock, update_lock=update_lock)
    viewers = viewers_asked_for(opened, viewer)
    layers = layers or opened or viewer is not None
    settings = ChainSettings(
        samples=parse_samples(samples, seed=seed),
        max_samples=max_samples,
        min_sqnr_db=min_sqnr_db,
        max_drop=None if max_drop is None else parse_drop(max_drop),
        layouts=tuple(parse_layout(text) for text in layout or ()),
        checkpoint=ModelSource(
            path=Path(),
            arch=arch,
            arch_args=tuple(_name_and_value(text) for text in arch_args or ()),
            inputs=tuple(inputs or ()),
            output_names=tuple(output_names or ()),
            trust_pickle=trust_pickle,
            partial=partial,
            prefer_ema=prefer_ema,
            part=part,
            dynamic=tuple(dynamic or ()),
        ),
        limits=Limits(timeout_s=timeout, memory_bytes=int(memory_limit * 2**30) if memory_limit is not None else None),
        alone=reference is not None,
        latencies=output is not None or as_json or format != "text",
        pictures=output is not None,
        command=shlex.join(["verify", *sys.argv[1:]]),
    )
    if self_test:
        raise typer.Exit(_self_test(tuple(models), settings, seed=seed, as_json=as_json, quiet=quiet))
    with _progress(quiet) as progress, run_chain(tuple(models), settings, progress) as chain:
        progress("comparing")
        floors, refusals = floors_of(chain)
        verification = verification_of(chain, floors, refusals)
        if layers or any(edge.verdict is Verdict.FAIL for edge in verification.edges):
            progress("looking for the layer where they part")
            where, refused = localisations_of(chain, verification.edges, output, all_edges=layers)
            verification = replace(
                verification,
                next_steps=(*look_at(where), *verification.next_steps),
                localisations=where,
                refusals=(*verification.refusals, *(refused if layers else ())),
            )
        if reference is not None:
            save_reference(chain, floors, reference)
            _say_saved(reference, verification)
    if not verification.edges:
        raise typer.Exit
    if lock is not None:
        verification = _with_lock(verification, lock, update=update_lock)
    html = _write_report(verification, output) if output is not None else None
    show = _print_annotated if annotations else _print
    show(verification, html, "json" if as_json else format, layers=layers)
    if viewers:
        _open(verification, viewers)
    raise typer.Exit(int(exit_code(verification.verdict)))


def _self_test(models: tuple[Path, ...], settings: ChainSettings, *, seed: int, as_json: bool, quiet: bool) -> int:
    from verify.faults.self_test import self_test
    from verify.faults.terminal import render_self_test, self_test_exit_code, to_json

    with _progress(quiet) as progress:
        test = self_test(models, settings, progress, seed=seed)
    if as_json:
        sys.stdout.write(to_json(test))
    else:
        render_self_test(test, result_console())
    return int(self_test_exit_code(test))


app.command("inspect", no_args_is_help=True)(inspect)


def _name_and_value(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise InputError(f"--arch-args {text} is not NAME=VALUE", fix="write it as --arch-args num_classes=10")
    return name, value


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    """Shows what is being done, on stderr."""
    if quiet:
        yield lambda _phrase: None
        return
    with progress_console().status("starting") as status:
        yield status.update


def _say_saved(reference: Path, verification: Verification) -> None:
    told = f"{reference} holds {verification.samples} and what {verification.models[0].name} gives for them"
    progress_console().print(told, markup=False, soft_wrap=True)


def _write_report(verification: Verification, folder: Path) -> Path:
    from verify.report.verification_files import write_all

    return write_all(verification, folder).html


def _open(verification: Verification, viewers: tuple[Installed, ...]) -> None:
    """A model that cannot be shown is told of, and changes no verdict."""
    from verify.viewers.command import open_judged

    try:
        open_judged(verification, viewers)
    except ToolError as error:
        print_error(error)


def _check_report(format_: str, lock: Path | None, *, update_lock: bool) -> None:
    if format_ not in _FORMATS:
        raise InputError(f"--format {format_}: expected one of {', '.join(_FORMATS)}", fix="--format markdown")
    if update_lock and lock is None:
        raise InputError("--update-lock without --lock: no file is named", fix="--lock parity.lock.json --update-lock")
    if lock is not None and lock.exists():
        from verify.baseline.lock_file import read_lock

        read_lock(lock)


def _with_lock(verification: Verification, lock: Path, *, update: bool) -> Verification:
    from verify.baseline.apply import with_lock

    return with_lock(verification, lock, update=update)


def _print(verification: Verification, html: Path | None, format_: str, *, layers: bool) -> None:
    if format_ != "text":
        from verify.report.verification_files import render

        sys.stdout.write(render(verification, format_))
        return
    from verify.report.verification_terminal import render_verification

    render_verification(verification, result_console(), html_path=html, layers=layers)


def _print_annotated(verification: Verification, html: Path | None, format_: str, *, layers: bool) -> None:
    """Text on stdout cannot be taken for GitHub's commands, whatever a model names its tensors; other formats stay."""
    from pathlib import Path

    from verify.report.annotations import render_annotations, without_commands

    if format_ == "text":
        with without_commands(sys.stdout):
            _print(verification, html, format_, layers=layers)
    else:
        _print(verification, html, format_, layers=layers)
    stream = sys.stdout if format_ == "text" else sys.stderr
    stream.writelines(f"{line}\n" for line in render_annotations(verification, Path.cwd()))


def main() -> NoReturn:
    """Entry point. A polite end (SIGTERM) cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)
    run_app(app)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal handlers are called
    raise KeyboardInterrupt
