"""``zoo.junit.xml``: a test case per model and target, as GitHub, GitLab and Jenkins read it.

What nobody expected is a failure, or an error where the machine and not the model is to blame; an accepted failure is
skipped, with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from convert.zoo.result import JobResult
from convert.zoo.summary.standing import Failure, acceptance, broken_promise, failures, in_force, label
from convert.zoo.summary.types import Standing, ZooReport, ZooRow
from verify.errors import ExitCode
from verify.report import words


def render_junit(report: ZooReport) -> str:
    """A suite per first tag, else per tier, else one named after the zoo."""
    root = Element("testsuites", name=words.printable(report.name))
    today = date.fromisoformat(report.created[:10])
    order = list(dict.fromkeys(_suite(row, report.name) for row in report.rows))
    rows = sorted(report.rows, key=lambda row: order.index(_suite(row, report.name)))
    for name, members in groupby(rows, key=lambda row: _suite(row, report.name)):
        suite = SubElement(root, "testsuite", name=words.printable(name), timestamp=report.created)
        for row in members:
            suite.extend(_cases(row, words.printable(name), today))
        _count(suite)
    _count(root)
    del root.attrib["skipped"]  # Jenkins' grammar (junit-10.xsd) has it on suites only
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(row: ZooRow, zoo: str) -> str:
    if row.tags:
        return row.tags[0]
    return f"tier {row.tier}" if row.tier is not None else zoo


def _cases(row: ZooRow, suite: str, today: date) -> Iterator[Element]:
    """The job's seconds stand on its first case, so that they add up."""
    conversion = row.result.conversion if row.result else None
    names = [target.name for target in conversion.targets] if conversion else []
    wrong = failures(row.result) if row.result else ()
    whole_job = [failure for failure in wrong if failure.target is None]
    if not names or whole_job:
        names = ["", *names]
    surprise = broken_promise(row.result, row.expect, today) if row.result else None
    for index, name in enumerate(names):
        seconds = row.result.seconds if row.result and index == 0 else 0.0
        title = words.printable(f"{row.id} {name}".rstrip())
        case = Element("testcase", classname=suite, name=title, time=f"{seconds:.3f}")
        _judge(case, row, [failure for failure in wrong if (failure.target or "") == name], today)
        if surprise and row.standing is Standing.UNEXPECTED_PASS and name == (surprise.target or names[0]):
            _add(case, "failure", row.standing, row.why)
        yield case


def _judge(case: Element, row: ZooRow, wrong: Sequence[Failure], today: date) -> None:
    if row.result is None:
        _add(case, "error", row.standing, row.why)
    for failure in wrong:
        accepted = acceptance(failure, row.expect)
        if accepted is not None and in_force(accepted, today):
            SubElement(case, "skipped", message=words.printable(f"{failure.outcome}, known: {accepted.reason}"))
            continue
        blame = "error" if failure.outcome.exit_code is ExitCode.INFRASTRUCTURE else "failure"
        expired = f" (accepted until {accepted.expires}: {accepted.reason})" if accepted else ""
        kind = label(row) if failure.target is None else failure.outcome
        _add(case, blame, kind, failure.why + expired, _more(row, row.result) if row.result else "")


def _add(case: Element, tag: str, kind: str, message: str, more: str = "") -> None:
    element = SubElement(case, tag, type=words.printable(kind), message=words.printable(message))
    element.text = "\n".join(words.printable(line) for line in (message, *more.splitlines()) if line)


def _more(row: ZooRow, result: JobResult) -> str:
    lines = [*result.context, f"fix: {result.fix}" if result.fix else "", f"log: {row.log}" if row.log else ""]
    return "\n".join(lines)


def _count(suite: Element) -> None:
    cases = list(suite.iter("testcase"))
    suite.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")
