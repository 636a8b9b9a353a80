"""The GitHub Action, the pre-commit hook and the pytest helper do what their files say, as their runners run them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from verify.errors import ExitCode

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ci"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
WORKFLOW = yaml.safe_load((EXAMPLE / "workflow.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A repository with models: one, the same again, and a spoiled one."""
    folder = tmp_path_factory.mktemp("repository")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from make_onnx_model import write_onnx_net\n"
        "for name, gain in (('net', 1), ('net_edited', 1), ('net_spoiled', 1.001)):\n"
        "    write_onnx_net(Path(f'models/{name}.onnx'), gain=gain)\n"
    )
    (folder / "models").mkdir()
    command = [sys.executable, "-c", script, str(ROOT / "tests" / "verify")]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    return folder


@pytest.fixture
def repository(models, tmp_path):
    shutil.copytree(models / "models", tmp_path / "models")
    return tmp_path


def _environment(folder: Path) -> dict[str, str]:
    """This interpreter first on the path, under the name that CI has for it, and our code importable."""
    bin_ = folder / "bin"
    if not bin_.exists():
        bin_.mkdir()
        (bin_ / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
        (bin_ / "verify").write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m verify "$@"\n', encoding="utf-8"
        )
        for command in bin_.iterdir():
            command.chmod(0o755)
    return os.environ | {"PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def _evaluated(text: str, inputs: dict[str, str]) -> str:
    """``${{ inputs.name }}`` as GitHub puts it in; any other expression is not known here."""
    return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], text)


def _run_action(folder: Path, **given: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """The Verify step by bash as GitHub calls it; returns its end, its outputs and the job's summary."""
    inputs = {name: str(value.get("default", "")) for name, value in ACTION["inputs"].items()} | given
    step = STEPS["Verify"]
    script, output, summary = (folder / name for name in (".step.sh", ".output", ".summary"))
    script.write_text(step["run"], encoding="utf-8")
    output.write_text("")
    summary.write_text("")
    environment = _environment(folder) | {name: _evaluated(value, inputs) for name, value in step["env"].items()}
    environment |= {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment)
    pairs = dict(line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())
    return done, pairs, summary.read_text(encoding="utf-8")


def test_the_action_keeps_githubs_grammar_and_puts_no_input_into_a_script():
    assert ACTION["runs"]["using"] == "composite"
    assert all(value["description"] for value in (*ACTION["inputs"].values(), *ACTION["outputs"].values()))
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an input in a script is code of whoever wrote the input"
        checked = subprocess.run(["bash", "-n"], input=step["run"], text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text(encoding="utf-8")))
    assert used == set(ACTION["inputs"])


def test_the_example_workflow_gives_the_action_inputs_that_it_has():
    step = next(it for it in WORKFLOW["jobs"]["parity"]["steps"] if "pth2tflite" in it.get("uses", ""))
    assert set(step["with"]) <= set(ACTION["inputs"])


def test_the_example_workflow_passes_with_a_recorded_lock_and_fails_on_drift(repository):
    step = next(it for it in WORKFLOW["jobs"]["parity"]["steps"] if "pth2tflite" in it.get("uses", ""))
    lacking, outputs, _ = _run_action(repository, **step["with"])
    assert (lacking.returncode, outputs["verdict"]) == (ExitCode.BAD_INPUT, "error")
    assert lacking.stdout.startswith("::error title=verify::There is no lock file here")
    record = f"verify {' '.join(step['with']['models'].split())} --lock parity.lock.json --max-samples 16 -q"
    subprocess.run(shlex.split(record), check=True, capture_output=True, cwd=repository, env=_environment(repository))
    passed, outputs, summary = _run_action(repository, **step["with"])
    assert (passed.returncode, outputs) == (ExitCode.PASS, {"verdict": "pass", "report": "parity-report"}), (
        passed.stderr
    )
    assert summary.startswith("### ✓ PASS: ")
    assert (repository / "parity-report" / "report.html").is_file()
    shutil.copyfile(repository / "models" / "net_spoiled.onnx", repository / "models" / "net_edited.onnx")
    failed, outputs, summary = _run_action(repository, **step["with"])
    assert (failed.returncode, outputs["verdict"]) == (ExitCode.PARITY_FAILED, "fail")
    told = failed.stdout.splitlines()
    assert told[0].startswith("::stop-commands::")
    after = told[told.index(f"::{told[0].removeprefix('::stop-commands::')}::") + 1 :]
    assert after[0].startswith("::error title=verify%3A net.onnx → net_edited.onnx%2C logits%3A over tolerance::")
    assert summary.startswith("### ✕ FAIL: ")


def test_the_action_takes_quoted_arguments_and_names_with_spaces_and_shows_no_stale_report(repository):
    (repository / "models" / "net.onnx").rename(repository / "models" / "the net.onnx")
    models = "  models/the net.onnx\n\n  models/net_edited.onnx\n"
    done, outputs, _ = _run_action(repository, models=models, arguments="--input 'token=N:int64:0..9' --max-samples 2")
    assert (done.returncode, outputs["verdict"]) == (ExitCode.PASS, "pass"), done.stderr
    gone, outputs, summary = _run_action(repository, models="models/gone.onnx\nmodels/net_edited.onnx")
    assert (gone.returncode, outputs, summary) == (ExitCode.BAD_INPUT, {"verdict": "error"}, "")
    assert gone.stderr.startswith("::error title=verify%3A no verdict::there is no models/gone.onnx; fix: ")


@pytest.mark.parametrize("id_", HOOKS)
def test_a_hook_runs_as_declared(id_, repository):
    hook = HOOKS[id_]
    assert {"id", "name", "entry", "language"} <= set(hook)
    for changed in ("models/net.onnx", "net_saved_model/variables/variables.data-00000-of-00001", "parity.lock.json"):
        assert re.search(hook["files"], changed)
    assert not re.search(hook["files"], "models/README.md")
    example = yaml.safe_load((EXAMPLE / "pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"][0]
    assert example["id"] in HOOKS
    assert hook["pass_filenames"] is False
    command = [*shlex.split(hook["entry"]), *example["args"]]
    environment = _environment(repository)

    def run() -> int:
        return subprocess.run(command, check=False, capture_output=True, cwd=repository, env=environment).returncode

    assert run() == ExitCode.PASS
    shutil.copyfile(repository / "models" / "net_spoiled.onnx", repository / "models" / "net_edited.onnx")
    assert run() == ExitCode.PARITY_FAILED


def test_the_example_of_the_pytest_helper_passes(repository):
    shutil.copyfile(EXAMPLE / "test_parity.py", repository / "test_parity.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_parity.py"]
    environment = _environment(repository)
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=repository, env=environment)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    assert (repository / "parity-report" / "report.html").is_file()
