"""``--layers``: an edge that fails names its culprit and keeps it; one that has no layers says so."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from make_onnx_model import write_onnx_net
from verify_command import verification, verify

from verify.errors import ExitCode


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    right, wrong = write_onnx_net(folder / "right.onnx"), write_onnx_net(folder / "wrong.onnx", gain=1.5)
    right_again = write_onnx_net(folder / "right_again.onnx")
    return verify(right, wrong, right_again, "--output", folder / "report"), folder / "report"


def test_an_edge_that_fails_names_its_culprit(failed):
    result, folder = failed
    assert result.returncode == ExitCode.PARITY_FAILED, result.stdout + result.stderr
    (where,) = verification(folder)["localisations"]
    assert where["culprit"]["layer"]["op"] == "MatMul"


def test_a_model_that_fails_beside_a_wrong_predecessor_only_is_not_blamed(failed):
    result, folder = failed
    assert "2 of 3 comparisons fail." in result.stdout
    assert [where["actual"] for where in verification(folder)["localisations"]] == ["wrong.onnx"]


def test_the_terminal_tells_where_the_reproducer_lies(failed):
    result, folder = failed
    assert "Where they part:" in result.stdout
    assert "MatMul 6" in result.stdout
    assert f"It fails alone: {folder / 'reproducer_0'}" in result.stdout
    assert (folder / "reproducer_0" / "reproduce.py").is_file()


def test_the_next_step_is_to_look_at_it(failed):
    _, folder = failed
    step = verification(folder)["next_steps"][0]
    assert step.startswith("Look at MatMul 6 of wrong.onnx")
    assert f"{folder / 'reproducer_0'}/reproduce.py" in step


def test_what_is_printed_to_run_it_alone_can_be_typed_as_it_stands(failed):
    _, folder = failed
    (command,) = re.findall(r"; (.+reproduce\.py) runs it alone", verification(folder)["next_steps"][0])
    ran = subprocess.run(command, shell=True, check=False, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stderr
    assert "expected at least 90 dB" in ran.stdout


def test_without_its_packages_the_reproducer_does_not_look_like_a_failure_of_the_model(failed):
    _, folder = failed
    script = folder / "reproducer_0" / "reproduce.py"
    ran = subprocess.run([sys.executable, "-S", str(script)], check=False, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "run this with the Python that verify runs with" in ran.stderr


LAYOUTS = ("--layout", "image=NHWC", "--layout", "features=NHWC")


def test_a_saved_model_has_layers_and_a_right_one_no_culprit(tf_models, tmp_path):
    models = (tf_models / "net_saved_model", tf_models / "net_float32.tflite")
    result = verify(*models, *LAYOUTS, "--layers", "--output", tmp_path)
    assert result.returncode == ExitCode.PASS, result.stdout + result.stderr
    (where,) = verification(tmp_path)["localisations"]
    assert where["culprit"] is None
    assert {"CONV_2D", "FULLY_CONNECTED"} <= {layer["op"] for layer in where["layers"]}


def test_the_op_of_a_saved_model_that_is_wrong_is_named_and_fails_by_itself(tf_models, tmp_path):
    other = write_onnx_net(tmp_path / "net.onnx", gain=1.5)
    result = verify(other, tf_models / "net_saved_model", *LAYOUTS, "--output", tmp_path / "report")
    assert result.returncode == ExitCode.PARITY_FAILED, result.stdout + result.stderr
    (where,) = verification(tmp_path / "report")["localisations"]
    assert where["culprit"]["layer"]["op"] == "MatMul"
    script = tmp_path / "report" / "reproducer_0" / "reproduce.py"
    ran = subprocess.run([sys.executable, str(script)], check=False, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stderr
    assert "expected at least 90 dB" in ran.stdout


def test_a_reference_has_no_layers_and_the_refusal_says_what_to_name_instead(tmp_path):
    right, wrong = write_onnx_net(tmp_path / "right.onnx"), write_onnx_net(tmp_path / "wrong.onnx", gain=1.5)
    kept = verify(right, "--save-reference", tmp_path / "reference.npz")
    assert kept.returncode == ExitCode.PASS, kept.stdout + kept.stderr
    result = verify(tmp_path / "reference.npz", wrong, "--layers")
    told = " ".join(result.stdout.split())
    assert "reference.npz does not run op by op, as ONNX, SavedModel and TFLite models do" in told
    assert "name the model that it was made from" in told
