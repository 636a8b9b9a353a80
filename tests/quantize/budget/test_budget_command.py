"""``quantize --min-sqnr-db`` and the like, whole: what is lifted, what is said, how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quantize.budget.goal import Budget, BudgetMissed
from quantize.command import Request, Target, quantize_file
from verify.runners.tflite_inspect import float_op_counts


def quantize(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quantize", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(float_models, tmp_path) -> Path:
    shutil.copy(float_models / "mixed.tflite", tmp_path / "net_float32.tflite")
    random = np.random.default_rng(2)
    for name, count in (("data", 24), ("eval", 12)):
        np.savez(tmp_path / f"{name}.npz", image=random.normal(size=(count, 16, 16, 3)).astype(np.float32))
    return tmp_path


def budget_of(folder: Path) -> dict[str, object]:
    return json.loads((folder / "net.budget.json").read_text())


def test_as_few_ops_as_need_be_are_lifted_and_the_recipe_makes_the_same_bytes(folder):
    given = ("net_float32.tflite", "--calib", "data.npz", "--eval", "eval.npz")
    assert quantize(*given, "--min-sqnr-db", 1, cwd=folder).returncode == 0
    assert {each["why"] for each in budget_of(folder)["lifted"]} <= {"faster: XNNPACK has no int8 kernel for it"}
    plain = budget_of(folder)["points"][0]["score"]["sqnr_db"]["value"]
    done = quantize(*given, "--min-sqnr-db", plain + 1, "--min-int8-macs", "0%", cwd=folder)
    assert done.returncode == 0, done.stderr
    report = budget_of(folder)
    (chosen,) = [point for point in report["points"] if point["chosen"]]
    assert chosen["score"]["sqnr_db"]["low"] >= plain + 1
    assert 0 < len(report["lifted"]) == chosen["lifted"] < 20
    noisy = [each["noise_share"] for each in report["lifted"] if each["for_accuracy"]]
    assert noisy == sorted(noisy, reverse=True)
    assert noisy[0] > 0.1
    assert "budget met: SQNR" in done.stdout
    assert f"lifted to float: {report['lifted'][0]['op']}" in done.stdout
    assert "asked to be kept" not in done.stdout
    lifted = {each["op"] for each in report["lifted"]}
    assert lifted >= {op for op, _ in float_op_counts(folder / "net_int8.tflite")}
    reasons = {each["why_float"] for each in json.loads((folder / "net.anatomy.json").read_text())["layers"]}
    assert "lifted for accuracy" in reasons
    assert not any("asked to be kept" in reason for reason in reasons)
    remake = ("net_float32.tflite", "--recipe", "net.recipe.json", "-o", "again.tflite")
    assert quantize(*remake, cwd=folder).returncode == 0
    assert (folder / "again.tflite").read_bytes() == (folder / "net_int8.tflite").read_bytes()
    again = quantize(*given, "--min-sqnr-db", plain + 1, "--min-int8-macs", "0%", "-o", "twice.tflite", cwd=folder)
    assert again.returncode == 0
    assert (folder / "twice.tflite").read_bytes() == (folder / "net_int8.tflite").read_bytes()


def test_a_budget_that_cannot_be_kept_ends_with_1_says_how_close_it_came_and_leaves_no_file(folder):
    given = ("net_float32.tflite", "--calib", "data.npz", "--eval", "eval.npz", "--min-sqnr-db", "100")
    done = quantize(*given, cwd=folder)
    assert done.returncode == 1
    assert "at least 100.0 dB asked for" in done.stderr
    assert "int8 inputs and outputs alone give" in done.stderr
    assert not (folder / "net_int8.tflite").exists()
    assert budget_of(folder)["standing"] == "missed"
    assert (folder / "net.budget.svg").read_text().count("<title>") >= len(budget_of(folder)["points"])
    assert quantize(*given, "--even-if-missed", cwd=folder).returncode == 1
    assert (folder / "net_int8.tflite").is_file()


def test_the_inside_of_a_file_that_is_not_written_is_not_measured(folder, monkeypatch):
    monkeypatch.setattr("quantize.command.AnatomyApart.begin", lambda *_, **__: pytest.fail("nobody reads it"))
    with pytest.raises(BudgetMissed):
        quantize_file(
            Request(
                folder / "net_float32.tflite",
                Target.INT8,
                calibration=str(folder / "data.npz"),
                evaluation=str(folder / "eval.npz"),
                budget=Budget(min_sqnr_db=100),
            )
        )


def test_too_few_samples_end_with_5_and_say_how_many_it_takes(folder):
    done = quantize("net_float32.tflite", "--calib", "data.npz", "--max-drop", "20%", cwd=folder)
    assert done.returncode == 5, done.stderr
    assert "judged on 6 samples held out from calibration" in done.stdout
    assert "calibrated on 18 samples" in done.stdout
    assert "inconclusive: with 6 samples not even the float file itself would be surely inside" in done.stdout
    assert (folder / "net_int8.tflite").is_file()


def test_labels_are_what_a_drop_is_of(folder):
    with np.load(folder / "eval.npz") as samples:
        np.savez(folder / "labelled.npz", image=samples["image"], truth=np.arange(12) % 10)
    given = ("net_float32.tflite", "--calib", "data.npz", "--eval", "labelled.npz", "--max-drop", "100%")
    done = quantize(*given, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["budget"]
    assert (report["metric"], report["samples"]) == ("top-1", 12)
    assert (
        report["points"][0]["score"]["metric"] == report["float_metric"] - report["points"][0]["score"]["drop"]["value"]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--calib", "data.npz", "--eval", "data.npz", "--min-sqnr-db", "9"], "calibration samples never judge"),
        (["--calib", "data.npz", "--eval", "eval.npz"], "--eval judges a budget, and there is none"),
        (["--to", "float16", "--min-sqnr-db", "9"], "a budget is kept by an int8 file made from samples"),
        (["--calib", "data.npz", "--max-drop", "1%", "--metric", "mIoU"], "--metric mIoU needs labels"),
        (["--calib", "data.npz", "--min-sqnr-db", "9", "--require-full-int8"], "a budget lifts some to float"),
    ],
)
def test_bad_usage_leaves_with_2(folder, arguments, message):
    done = quantize("net_float32.tflite", *arguments, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
