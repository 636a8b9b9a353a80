"""A verification as files: for machines, for people, for a pull request and for a CI server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verify.atomic import write_texts
from verify.report.junit import render_junit
from verify.report.verification import Verification
from verify.report.verification_html import render_html
from verify.report.verification_json import render_json
from verify.report.verification_markdown import render_markdown


@dataclass(frozen=True)
class VerificationFiles:
    """Where each rendering lies."""

    json: Path
    html: Path
    markdown: Path
    junit: Path


def write_all(verification: Verification, folder: Path) -> VerificationFiles:
    """Write ``verification.json``, ``report.html``, ``report.md`` and ``junit.xml``, all of them or none."""
    files = VerificationFiles(
        json=folder / "verification.json",
        html=folder / "report.html",
        markdown=folder / "report.md",
        junit=folder / "junit.xml",
    )
    write_texts(
        {
            files.html: render_html(verification),
            files.markdown: render_markdown(verification),
            files.junit: render_junit(verification),
            files.json: render_json(verification),
        }
    )
    return files
