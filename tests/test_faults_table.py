"""docs/faults.md and .json, as committed: what was measured, and that the page says just that."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs" / "faults"
sys.path.append(str(ROOT / "benchmarks"))

from faults_page import render  # noqa: E402
from faults_types import Clean  # noqa: E402
from faults_types import Tested as Faulted  # noqa: E402

from verify.faults.result import Outcome  # noqa: E402
from verify.jsonio import from_jsonable  # noqa: E402


@pytest.fixture(scope="module")
def data() -> dict:
    return json.loads(DOCS.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tested(data) -> tuple[Faulted, ...]:
    return from_jsonable(tuple[Faulted, ...], data["tested"])


@pytest.fixture(scope="module")
def clean(data) -> tuple[Clean, ...]:
    return from_jsonable(tuple[Clean, ...], data["clean"])


def test_the_page_is_made_of_the_data(data, tested, clean):
    libraries = [(name, version) for name, version in data["versions"]]
    assert render(tested, clean, libraries) == DOCS.with_suffix(".md").read_text(encoding="utf-8")


def test_no_fault_that_matters_slipped_through_a_float_file(tested):
    floats = [test.default for test in tested if test.file != "int8"]
    assert len({test.subject for test in tested}) >= 6
    assert all(len(test.results) >= 25 for test in floats)
    assert [result.kind for test in floats for result in test.of(Outcome.SLIPPED)] == []
    assert min(len(test.of(Outcome.DETECTED)) for test in floats) >= 20


def test_fifty_conversions_without_a_fault_raised_no_alarm(clean):
    assert len(clean) >= 50
    assert [each.subject for each in clean if each.verdict != "pass"] == []
