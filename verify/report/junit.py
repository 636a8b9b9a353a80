"""``junit.xml`` of a verification: a suite per edge, a case per output, as GitHub, GitLab and Jenkins read it.

The grammar is that of Jenkins' xUnit plugin (``junit-10.xsd``). What is inconclusive is an ``error``: a skipped case
would leave the job green.
"""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from verify.report import words
from verify.report.types import Verdict
from verify.report.verification import Verification
from verify.report.verification_cards import Finding, findings

_TAGS = {Verdict.FAIL: "failure", Verdict.INCONCLUSIVE: "error"}


def render_junit(verification: Verification) -> str:
    """XML text; control characters, which XML cannot hold, are spelled out."""
    root = Element("testsuites", name="verify")
    for name, members in groupby(findings(verification), key=lambda finding: finding.where):
        suite = SubElement(root, "testsuite", name=words.printable(name), timestamp=_naive(verification.created))
        suite.extend([_case(finding) for finding in members])
        _count(suite)
    cases = list(root.iter("testcase"))
    if cases:
        cases[0].set("time", f"{verification.total_seconds:.3f}")
    for suite in (*root, root):
        suite.set("time", f"{sum(float(case.get('time', 0)) for case in suite.iter('testcase')):.3f}")
    _count(root, skipped=False)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(finding: Finding) -> Element:
    case = Element("testcase", classname=words.printable(finding.where), name=words.printable(finding.what), time="0")
    explanation = words.printable(finding.explanation)
    if finding.verdict in _TAGS:
        kind = words.printable(finding.failure)
        problem = SubElement(case, _TAGS[finding.verdict], type=kind, message=explanation)
        problem.text = "\n".join((kind, explanation, *_more(finding)))
    elif explanation:
        SubElement(case, "system-out").text = explanation
    return case


def _more(finding: Finding) -> tuple[str, ...]:
    edge = finding.edge
    return () if edge is None else (words.printable(f"judged against: {edge.budget}; samples: {edge.sample_count}"),)


def _count(suite: Element, *, skipped: bool = True) -> None:
    cases = list(suite.iter("testcase"))
    suite.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    if skipped:
        suite.set("skipped", "0")


def _naive(created: str) -> str:
    """UTC without its letter, as JUnit's own timestamps are (``ISO8601_DATETIME_PATTERN`` of Apache Ant's schema)."""
    return words.printable(created.removesuffix("Z").removesuffix("+00:00"))
