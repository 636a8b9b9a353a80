"""What changed between two runs, and one summary of several shards."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from summary_samples import (
    accepted,
    failed,
    failing_target,
    model,
    ok_result,
    over_budget,
    report,
    small,
    thirty,
    thousand,
)

from convert.zoo.job import Target
from convert.zoo.result import Outcome
from convert.zoo.summary.build import write_summary
from convert.zoo.summary.diff import Direction, Measure, Tolerance, diff, render_diff_json, summarise
from convert.zoo.summary.json import read_report
from convert.zoo.summary.merge import ShardsDoNotFit, merge, merge_folders
from verify.errors import ReportUnreadable

_OK = ok_result("a", random.Random(4))


def _run(result, *expect):
    return report([model("a", expect=expect)], [result])


def _with_int8(**changes):
    conversion = _OK.conversion
    targets = tuple(replace(it, **changes) if it.name == "int8" else it for it in conversion.targets)
    return replace(_OK, conversion=replace(conversion, targets=targets))


def _told(before, after, tolerance=None):
    changes = diff(before, after, tolerance).changes
    return [(it.target, str(it.measure), str(it.direction), it.before, it.after) for it in changes]


def test_a_run_does_not_differ_from_itself():
    changes = diff(thousand(), thousand())
    assert (changes.changes, changes.new, changes.missing, changes.unchanged) == ((), (), (), 1000)
    assert changes.latency is not None
    assert changes.latency.median_ratio == 1
    assert summarise(changes) == "nothing changed; 1,000 models as before"


def test_what_was_right_and_fails_is_a_regression_and_the_reverse_a_progression():
    bad = over_budget(_OK, _OK.conversion.targets[-1].sqnr_db)
    assert _told(_run(_OK), _run(bad)) == [("int8", "outcome", "regression", "ok", "budget")]
    assert _told(_run(bad), _run(_OK)) == [("int8", "outcome", "progression", "budget", "ok")]
    crashed = failed(_OK, Outcome.SIGNAL)
    assert _told(_run(_OK), _run(crashed)) == [("", "outcome", "regression", "ok", "signal 11")]


def test_another_failure_than_before_is_neither_better_nor_worse():
    told = _told(_run(failed(_OK, Outcome.OOM)), _run(failed(_OK, Outcome.TIMEOUT)))
    assert told == [("", "outcome", "change", "oom", "timeout")]


def test_a_failure_that_the_manifest_now_accepts_is_no_regression():
    later = _run(failed(_OK, Outcome.CONVERSION), accepted(Outcome.CONVERSION))
    assert _told(_run(_OK), later) == [("", "outcome", "change", "ok", "conversion")]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"sqnr_db": 30.0}, {"sqnr_db": 29.5}, []),
        ({"sqnr_db": 30.0}, {"sqnr_db": 29.4}, [("int8", "SQNR", "regression", "30.0 dB", "29.4 dB")]),
        ({"sqnr_db": 30.0}, {"sqnr_db": 31.0}, [("int8", "SQNR", "progression", "30.0 dB", "31.0 dB")]),
        ({"top1_agreement": 1.0}, {"top1_agreement": 0.97}, [("int8", "top-1", "regression", "100 %", "97.0 %")]),
        ({"size_bytes": 10_000}, {"size_bytes": 10_100}, []),
        ({"size_bytes": 10_000}, {"size_bytes": 10_200}, [("int8", "size", "regression", "10.0 kB", "10.2 kB")]),
        ({"size_bytes": 10_000}, {"size_bytes": 9_000}, [("int8", "size", "progression", "10.0 kB", "9.00 kB")]),
        ({"sqnr_db": 30.0}, {"sqnr_db": None}, []),
    ],
)
def test_numbers_regress_beyond_the_stated_tolerance_only(before, after, told):
    assert _told(_run(_with_int8(**before)), _run(_with_int8(**after))) == told


def test_the_tolerance_can_be_set():
    before, after = _run(_with_int8(sqnr_db=30.0)), _run(_with_int8(sqnr_db=28.0))
    assert _told(before, after, Tolerance(sqnr_db=3.0)) == []


def test_latency_is_told_and_never_a_regression():
    slow = tuple(replace(it, latency_ms=it.latency_ms * 3) for it in _OK.conversion.targets)
    later = _run(replace(_OK, conversion=replace(_OK.conversion, targets=slow)))
    changes = diff(_run(_OK), later)
    assert changes.changes == ()
    assert changes.latency.median_ratio == pytest.approx(3)


def test_models_come_and_go_and_what_did_not_run_is_gone():
    earlier, later = report([model("a"), model("b")], [_OK, _OK]), report([model("b"), model("c")], [None, _OK])
    changes = diff(earlier, later)
    assert (changes.new, changes.missing) == (("c",), ("a", "b"))


def test_outcomes_come_first_and_the_json_says_it_all():
    changes = diff(thirty(seed=9), thirty())
    measures = [it.measure for it in changes.changes]
    assert measures.index(Measure.SQNR) >= measures.count(Measure.OUTCOME)
    data = json.loads(render_diff_json(changes))
    assert len(data["changes"]) == len(changes.changes)
    assert {it["direction"] for it in data["changes"]} <= set(Direction)
    assert data["tolerance"]["sqnr_db"] == 0.5


def _shards(total=3):
    whole = thirty()
    return [
        replace(whole, rows=whole.rows[index::total], shard=f"{index + 1}/{total}", wall_seconds=100.0 + index)
        for index in range(total)
    ]


def test_shards_merge_into_the_whole():
    merged = merge(_shards())
    assert {row.id for row in merged.rows} == {row.id for row in thirty().rows}
    assert (merged.shard, merged.headline, merged.wall_seconds) == ("", thirty().headline, 102.0)


def test_a_missing_shard_is_said():
    merged = merge(_shards()[:2])
    assert merged.shard == "1/3, 2/3"
    assert "(of shard 1/3, 2/3)" in merged.headline


def test_a_model_in_two_shards_is_an_error():
    with pytest.raises(ShardsDoNotFit, match=r"in more than one shard: .* and 5 more") as caught:
        merge([*_shards(), _shards()[0]])
    assert "each shard's folder once" in caught.value.fix


def test_shards_of_different_zoos_are_an_error():
    with pytest.raises(ShardsDoNotFit, match="different zoos: torchvision and everything"):
        merge([small(), thousand()])
    with pytest.raises(ShardsDoNotFit, match="no shard"):
        merge([])


def test_the_links_of_a_merged_summary_lead_to_each_shards_files(tmp_path):
    folders = [tmp_path / "all" / "shards" / "1 of 2", tmp_path / "elsewhere" / "2"]
    for folder, shard in zip(folders, _shards(2), strict=True):
        write_summary(shard, folder)
        for row in shard.rows:
            if row.folder and "<" not in row.id:
                (folder / row.folder).mkdir(parents=True)
                (folder / row.folder / "report.html").write_text("")
    output = tmp_path / "all"
    merged = merge_folders(folders, output)
    assert read_report(output / "zoo.json") == merged
    assert [row.folder for row in merged.rows if row.folder and "<" not in row.id]
    for row in merged.rows:
        if row.folder and "<" not in row.id:
            assert (output / row.folder / "report.html").exists(), row.folder
    assert "./shards/1%20of%202/models/alexnet/report.html" in (output / "zoo.html").read_text(encoding="utf-8")


def test_a_folder_that_is_no_shard_is_refused(tmp_path):
    with pytest.raises(ReportUnreadable, match="No such file"):
        merge_folders([tmp_path / "nothing"], tmp_path)
    assert not (tmp_path / "zoo.json").exists()


def test_a_target_that_is_no_longer_made_is_told():
    fewer = replace(_OK, conversion=replace(_OK.conversion, targets=_OK.conversion.targets[:-1]))
    assert _told(_run(_OK), _run(fewer)) == [("int8", "outcome", "change", "made", "not made")]


def test_a_target_and_its_job_failing_is_one_regression():
    bad = failing_target(_OK, Target.FLOAT16, Outcome.PARITY, "drifts", 68.0)
    before = failing_target(_OK, Target.FLOAT16, Outcome.OK, "", 68.0)
    assert _told(_run(before), _run(bad)) == [("float16", "outcome", "regression", "ok", "parity")]
