"""docs/localisation_pytorch.md and .json, as committed: what was measured, and that the page says just that."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs" / "localisation_pytorch"
sys.path.append(str(ROOT / "benchmarks"))

from localisation_pytorch import Tried, render  # noqa: E402

from verify.jsonio import from_jsonable  # noqa: E402


@pytest.fixture(scope="module")
def found() -> list[Tried]:
    return from_jsonable(list[Tried], json.loads(DOCS.with_suffix(".json").read_text(encoding="utf-8")))


def test_the_page_is_made_of_the_data(found):
    assert render(found) == DOCS.with_suffix(".md").read_text(encoding="utf-8")


def test_a_net_without_a_fault_has_no_culprit(found):
    assert [each.net for each in found if each.culprit] == []


def test_the_named_op_is_the_faulty_one_or_reads_it_in_nineteen_of_twenty(found):
    counted = [row for each in found for row in each.rows if row.verdict != "unseen"]
    named = [row for row in counted if row.verdict in {"op", "successor"}]
    assert len(counted) >= 100
    assert len(named) >= 0.95 * len(counted)


def test_the_module_of_the_named_op_is_right_in_nineteen_of_twenty(found):
    known = [
        row
        for each in found
        for row in each.rows
        if row.verdict in {"op", "successor"} and row.right_module is not None
    ]
    assert len(known) >= 100
    assert sum(row.right_module is True for row in known) >= 0.95 * len(known)
