"""GitHub annotations: workflow commands on stdout that GitHub shows beside a pull request's code.

The grammar and the escaping are those of ``actions/toolkit`` (``packages/core/src/command.ts``): ``%``, CR and LF in a
message; ``:`` and ``,`` as well in a property.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from verify.errors import ToolError
from verify.report import words
from verify.report.types import Verdict
from verify.report.verification import Localisation, Verification
from verify.report.verification_cards import Finding, findings, layer_name, layer_sqnr

_COMMANDS = {Verdict.FAIL: "error", Verdict.INCONCLUSIVE: "warning"}
_SOURCE = re.compile(r"(?P<file>.+):(?P<line>[1-9]\d*)")
_MESSAGE_CHARACTERS = 4000
"""GitHub cuts a message off at 4096 characters."""


def render_annotations(verification: Verification, root: Path) -> tuple[str, ...]:
    """One command a line: what failed, then what is undecided, worst first, for GitHub shows ten of each kind.

    A culprit whose PyTorch source is known points to that line; a path below ``root`` (the checkout) becomes relative
    to it, for only then does GitHub find it.
    """
    troubles = sorted(
        (finding for finding in findings(verification) if finding.verdict in _COMMANDS),
        key=lambda finding: list(_COMMANDS).index(finding.verdict),
    )
    lines = [_of_finding(finding) for finding in troubles]
    lines += [_of_culprit(where, root) for where in verification.localisations if where.culprit is not None]
    return tuple(lines)


def render_error(error: ToolError) -> str:
    """The command for what ended a run without a verdict."""
    fix = f"; fix: {error.fix}" if error.fix else ""
    return _command("error", {"title": "verify: no verdict"}, f"{error.what}{fix}")


@contextmanager
def without_commands(stream: TextIO) -> Iterator[None]:
    """What is written meanwhile is text to GitHub, though it begins as a command does (``stop-commands``)."""
    token = secrets.token_hex(16)
    stream.write(f"::stop-commands::{token}\n")
    stream.flush()
    try:
        yield
    finally:
        stream.write(f"::{token}::\n")
        stream.flush()


def _of_finding(finding: Finding) -> str:
    title = f"verify: {finding.where}, {finding.what}: {finding.failure}"
    return _command(_COMMANDS[finding.verdict], {"title": title}, finding.explanation)


def _of_culprit(where: Localisation, root: Path) -> str:
    assert where.culprit is not None
    layer = where.culprit.layer
    message = f"{layer_name(layer)}: {where.culprit.explanation} Cumulative SQNR here: {layer_sqnr(layer.sqnr_db)}."
    title = f"verify: {where.expected} and {where.actual} part here"
    return _command("error", {**_place(layer.source, root), "title": title}, message)


def _place(source: str, root: Path) -> dict[str, str]:
    found = _SOURCE.fullmatch(source)
    if found is None:
        return {}
    path = Path(found["file"])
    return {"file": str(path.relative_to(root) if path.is_relative_to(root) else path), "line": found["line"]}


def _command(name: str, properties: dict[str, str], message: str) -> str:
    given = ",".join(f"{key}={_property(words.printable(value))}" for key, value in properties.items())
    return f"::{name} {given}::{_data(words.printable(message)[:_MESSAGE_CHARACTERS])}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
