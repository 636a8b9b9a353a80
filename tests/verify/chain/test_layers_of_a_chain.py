"""``--layers``: an edge that fails names its culprit and keeps it; one that has no layers says so."""

from __future__ import annotations

import pytest
from make_onnx_model import write_onnx_net
from verify_command import verification, verify

from verify.errors import ExitCode


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    right, wrong = write_onnx_net(folder / "right.onnx"), write_onnx_net(folder / "wrong.onnx", gain=1.5)
    return verify(right, wrong, "--output", folder / "report"), folder / "report"


def test_an_edge_that_fails_names_its_culprit(failed):
    result, folder = failed
    assert result.returncode == ExitCode.PARITY_FAILED, result.stdout + result.stderr
    (where,) = verification(folder)["localisations"]
    assert where["culprit"]["layer"]["op"] == "MatMul"


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
    assert f"python {folder / 'reproducer_0'}/reproduce.py" in step


def test_a_model_that_does_not_run_op_by_op_is_a_refusal(tf_models, tmp_path):
    layouts = ("--layout", "image=NHWC", "--layout", "features=NHWC")
    models = (tf_models / "net_saved_model", tf_models / "net_float32.tflite")
    result = verify(*models, *layouts, "--layers", "--output", tmp_path)
    assert "net_saved_model does not run op by op" in result.stdout, result.stdout + result.stderr
