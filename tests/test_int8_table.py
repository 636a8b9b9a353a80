"""What the int8 table is made of: its memory of what was made, its promises."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), str(ROOT / "examples" / "int8"), *sys.path])


def test_what_was_made_is_kept_until_its_code_changes(tmp_path):
    from int8_types import Ceiling, cached, key_of

    code, made = tmp_path / "code.py", []

    def compute():
        made.append(1)
        return Ceiling("weights", None, covered=len(made))

    def ask(**options):
        return cached(tmp_path / "kept.json", key_of(tmp_path, "weights"), Ceiling, compute, **options).covered

    code.write_text("a")
    assert (ask(), ask()) == (1, 1)
    code.write_text("b")
    assert (ask(), ask()) == (2, 2)
    assert ask(again=True) == 3


def test_the_page_says_which_promises_do_not_hold():
    from int8_page import render
    from int8_promises import promises
    from int8_types import Column, Int8Row, Quality

    def row(name, sqnr_db, drop, batches):
        columns = (
            Column("tensorflow", failed="SIGABRT"),
            Column("library", "", 1.0, 1000, Quality(20.0, 0.98, 0.0, -0.01, 0.01), (1, 2, 5), 0.5, 0.5),
            Column("ours", "", 1.0, 1000, Quality(sqnr_db, 0.98, drop, drop - 0.01, drop + 0.01), batches, 0.5, 0.5),
        )
        return Int8Row(name, "top-1", 600, 0.98, 4000, 1.0, columns)

    good = [row("a", 24.0, 0.001, (1, 2, 5)), row("b", 23.5, 0.0, (1, 2, 5))]
    assert [holds for _, _, holds in promises(good)] == [True] * 4
    bad = [row("a", 19.0, 0.02, (1, 2, 5)), row("b", 20.0, 0.03, (1,))]
    assert [holds for _, _, holds in promises(bad)] == [False] * 4
    page = render(bad)
    assert page.count("**does not hold**") == 4
    assert "a, (a) TensorFlow's converter: SIGABRT" in page
    assert "**only 1**" in page


def test_an_ablation_has_each_correction_alone_and_each_beside_the_usual_ones():
    from int8_ablation import corrections

    found = [each.corrections for each in corrections(("concat", "smooth", "gptq"), ("concat", "gptq"))]
    assert found == ["none", "concat", "smooth", "gptq", "auto", "concat,smooth,gptq"]


def test_the_table_has_every_net_that_the_example_trains(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "digits"))
    from int8_nets import TRAINED
    from int8_subjects import SUBJECTS

    trained = [(each.name, each.file, each.kind.__name__, each.task.name, each.task.outputs) for each in SUBJECTS]
    assert [(net.name, net.file, net.kind, net.task, net.outputs) for net in TRAINED] == trained


def test_a_budget_is_kept_only_by_a_fast_file_that_is_mostly_int8():
    from int8_promises import promises
    from int8_types import Column, Int8Row, Quality

    def row(drop, int8_macs, latency):
        kept = Quality(30.0, 0.98, drop, drop - 0.01, drop + 0.01)
        budget = Column("budget", quality=kept, batches=(1, 2, 5), latency_to_float=latency, int8_macs=int8_macs)
        return Int8Row("a", "top-1", 600, 0.98, 4000, 1.0, (budget,))

    def broken(row):
        return [promise for promise, _, holds in promises([row]) if not holds and "(c)" not in promise]

    assert broken(row(0.005, 0.8, 0.99)) == []
    assert broken(row(0.006, 0.8, 0.99)) == ["every file of (d) keeps its budget"]
    assert broken(row(0.0, 0.79, 0.99)) == ["and ≥ 80% of its multiply-accumulates in int8"]
    assert broken(row(0.0, 0.9, 1.01)) == ["and is faster than float"]
