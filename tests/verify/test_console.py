"""The exit code and the message of everything a command can end with."""

from __future__ import annotations

import pytest
import typer

from verify.console import run_app
from verify.errors import ConversionError, ExitCode, SamplesInvalid


def _status(action, arguments=()) -> int:
    app = typer.Typer(add_completion=False)
    app.command()(action)
    with pytest.raises(SystemExit) as ended:
        run_app(app, list(arguments))
    return ended.value.code


def test_a_command_that_returns_exits_0():
    assert _status(lambda: None) == 0


def test_a_typed_error_exits_with_its_own_code_and_prints_what_where_and_fix(capsys):
    def refuse() -> None:
        raise SamplesInvalid("no [images] in folder", fix="name another one").within("stage: int8")

    assert _status(refuse) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: no [images] in folder\n  stage: int8\n  fix: name another one\n"


def test_each_family_of_errors_keeps_its_code():
    def convert() -> None:
        raise ConversionError("no")

    assert _status(convert) == ExitCode.CONVERSION_FAILED


def test_a_fault_of_the_tool_never_looks_like_failed_parity(capsys):
    def broken() -> None:
        raise KeyError("oops")

    assert _status(broken) == ExitCode.INFRASTRUCTURE
    assert "KeyError: 'oops'" in capsys.readouterr().err


def test_an_explicit_exit_code_is_kept():
    def fail() -> None:
        raise typer.Exit(int(ExitCode.PARITY_FAILED))

    assert _status(fail) == ExitCode.PARITY_FAILED


def test_ctrl_c_exits_130(capsys):
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert _status(interrupted) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_bad_usage_exits_2(capsys):
    assert _status(lambda: None, ["--no-such-flag"]) == ExitCode.BAD_INPUT
    assert "--no-such-flag" in capsys.readouterr().err
