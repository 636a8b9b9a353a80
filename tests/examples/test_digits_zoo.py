"""The digits zoo does what its comments promise, and its workflow calls commands that there are."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from convert.zoo.result import JobResult
from convert.zoo.summary.json import read_report
from convert.zoo.summary.types import Standing, ZooReport

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MODELS = {
    "lenet",
    "perceptron",
    "all_convolutional",
    "separable@lowering=exact",
    "separable@lowering=onnx2tf",
    "residual",
}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, its nets trained by its own script."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("digits", "digits_zoo"):
        shutil.copytree(EXAMPLES / name, folder / name, ignore=shutil.ignore_patterns("build"))
    subprocess.run([sys.executable, folder / "digits_zoo" / "make.py"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((EXAMPLES / "digits_zoo" / "ci.yml").read_text(encoding="utf-8"))
    return loaded


def test_two_of_its_models_pass_and_the_summary_says_so(examples: Path) -> None:
    report = zoo(examples, "two", "--filter", "tag=micro")
    assert {row.id for row in report.rows} == {"perceptron", "all_convolutional"}
    assert report.headline == "Yes: all 2 models pass."


@pytest.mark.slow
def test_all_of_its_models_pass_keep_their_budgets_and_are_not_run_twice(examples: Path) -> None:
    report = zoo(examples, "all")
    assert {row.id for row in report.rows} == MODELS
    assert {row.id: row.why for row in report.rows if row.standing is not Standing.PASS} == {}
    for row in report.rows:
        assert row.result is not None
        int8 = target(row.result, "int8")
        assert int8.top1_agreement is not None
        assert int8.top1_agreement >= 0.97
    again = zoo(examples, "all")
    assert [row.result for row in again.rows] == [row.result for row in report.rows]


def test_its_workflow_calls_commands_and_options_that_there_are(workflow: dict[str, Any]) -> None:
    commands = zoo_commands(workflow)
    assert {command[0] for command in commands} >= {"run", "merge"}
    for command, *arguments in commands:
        shown = subprocess.run(
            [sys.executable, "-m", "convert", "zoo", command, "--help"],
            cwd=ROOT,
            env={"COLUMNS": "200", "PATH": ""},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert [option for option in arguments if option.startswith("-") and option not in shown] == []


def test_its_workflow_runs_every_shard_and_sums_up_whatever_they_did(workflow: dict[str, Any]) -> None:
    shards = workflow["jobs"]["shard"]["strategy"]["matrix"]["shard"]
    run = next(command for command in zoo_commands(workflow) if command[0] == "run")
    assert shards == list(range(1, len(shards) + 1))
    assert f"/{len(shards)}" in run[run.index("--shard") + 1]
    assert workflow["jobs"]["summary"]["needs"] == "shard"
    assert workflow["jobs"]["summary"]["if"] == "always()"


def zoo(examples: Path, output: str, *options: str) -> ZooReport:
    """Run the zoo as a user does; it must exit with 0."""
    command = ["convert", "zoo", str(examples / "digits_zoo" / "zoo.toml"), "-o", str(examples / output), *options]
    run = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return read_report(examples / output / "zoo.json")


def target(result: JobResult, name: str) -> Any:
    assert result.conversion is not None
    return next(each for each in result.conversion.targets if each.name == name)


def zoo_commands(workflow: dict[str, Any]) -> list[list[str]]:
    """What comes after ``convert zoo`` in every step, word by word; ``${{ … }}`` is one word of it."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    commands = [line.partition("convert zoo ")[2] for line in lines if "convert zoo " in line]
    return [shlex.split(command.replace("${{ ", "${{").replace(" }}", "}}")) for command in commands]
