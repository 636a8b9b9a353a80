"""How all three commands end: what goes wrong is printed on stderr and becomes the exit code.

A command itself returns nothing, or raises ``typer.Exit(code)``, or lets a ``ToolError`` through; :func:`run_app` is
the only place that turns one into a message and a status. Importing this costs typer and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import typer

from verify.errors import ExitCode, ToolError

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130
"""What a shell expects of a command that Ctrl-C ended: 128 + SIGINT."""


def run_app(app: typer.Typer, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and leave with the exit code it comes to; ``arguments`` default to ``sys.argv``.

    A fault of the tool itself leaves with ``INFRASTRUCTURE`` and its traceback: Python's own status for that is 1,
    which here would say that two models differ.
    """
    try:
        app(args=None if arguments is None else list(arguments))
    except ToolError as error:
        print_error(error)
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # anything untyped is our own fault and must not pass for a verdict
        _print_fault(error)
        sys.exit(int(ExitCode.INFRASTRUCTURE))
    sys.exit(int(ExitCode.PASS))


def print_error(error: ToolError) -> None:
    """A typed error on stderr: what, where, and the fix, each on lines of its own."""
    from rich.text import Text

    message = Text.assemble(("error: ", "bold red"), (error.what, "bold"))
    for line in error.context:
        message.append(f"\n  {line}", style="dim")
    if error.fix:
        message.append("\n  fix: ", style="green").append(error.fix)
    progress_console().print(message, soft_wrap=True)


def result_console() -> Console:
    """Where results go: stdout."""
    from rich.console import Console

    return Console(highlight=False)


def progress_console() -> Console:
    """Where progress and errors go: stderr, so that stdout can be piped."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _print_fault(error: Exception) -> None:
    import traceback

    console = progress_console()
    for line in traceback.format_exception(error):
        console.print(line, end="", markup=False, soft_wrap=True, style="dim")
    told = "error: this is a fault of the tool, not of your model; please report it with the lines above"
    console.print(told, soft_wrap=True)
