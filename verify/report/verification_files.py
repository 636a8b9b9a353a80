"""A verification as files: for machines, for people, for a pull request and for a CI server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from verify.atomic import write_texts
from verify.report.junit import render_junit
from verify.report.node_data import node_data
from verify.report.verification import Verification
from verify.report.verification_html import render_html
from verify.report.verification_json import render_json
from verify.report.verification_markdown import render_markdown

_RENDERINGS: dict[str, Callable[[Verification], str]] = {
    "json": render_json,
    "html": render_html,
    "markdown": render_markdown,
    "junit": render_junit,
}


@dataclass(frozen=True)
class VerificationFiles:
    """Where each rendering lies."""

    json: Path
    html: Path
    markdown: Path
    junit: Path
    node_data: tuple[Path, ...] = ()
    """For Model Explorer, where layers were compared."""


def render(verification: Verification, name: str) -> str:
    """As ``json``, ``html``, ``markdown`` or ``junit``."""
    return _RENDERINGS[name](verification)


def write_all(verification: Verification, folder: Path) -> VerificationFiles:
    """Write ``verification.json``, ``report.html``, ``report.md`` and ``junit.xml``, all of them or none.

    And ``layers_*.json``, node data for Model Explorer, of each pair of models whose layers were compared.
    """
    files = {
        "json": folder / "verification.json",
        "html": folder / "report.html",
        "markdown": folder / "report.md",
        "junit": folder / "junit.xml",
    }
    layers = {folder / name: text for name, text in node_data(verification).items()}
    write_texts({path: render(verification, name) for name, path in files.items()} | layers)
    return VerificationFiles(**files, node_data=tuple(layers))
