"""From edges to an answer a person can act on."""

from __future__ import annotations

import pytest

from convert.verdict import artifact_verdict, headline, next_steps
from verify.chain.verdict import exit_code
from verify.errors import ExitCode
from verify.report.types import EdgeKind, EdgeReport, OutputComparison, Verdict, worst_verdict

FILES = {"onnx": "net.onnx", "float32": "net_float32.tflite", "int8": "net_int8.tflite"}


def edge(actual: str, verdict: Verdict, sqnr_db: float = 30.0, expected: str = "pytorch") -> EdgeReport:
    failure = "below budget" if verdict is Verdict.FAIL else None
    output = OutputComparison("logits", verdict, failure, "Why.", 10, False, sqnr_db, 0.1, 0.1, 0.1, 1.0)
    return EdgeReport(expected, actual, EdgeKind.FLOAT, verdict, "budget", (1, 2, 5), 8, (output,))


def test_nothing_compared_is_no_pass() -> None:
    assert worst_verdict([]) is Verdict.INCONCLUSIVE
    assert artifact_verdict("int8", [edge("onnx", Verdict.PASS)]) is Verdict.INCONCLUSIVE


def test_one_failing_edge_fails_its_file() -> None:
    edges = [edge("int8", Verdict.PASS), edge("int8", Verdict.FAIL, expected="float32")]
    assert artifact_verdict("int8", edges) is Verdict.FAIL


def test_the_headline_names_the_bad_file_its_reason_and_the_good_ones() -> None:
    edges = [
        edge("onnx", Verdict.PASS),
        edge("float32", Verdict.PASS),
        edge("int8", Verdict.FAIL, 9.1),
    ]
    assert headline(FILES, edges, "PyTorch") == (
        "Do not ship net_int8.tflite (below budget: 9.1 dB SQNR). The other 2 files agree with PyTorch."
    )


def test_a_clean_run_says_what_agrees() -> None:
    edges = [edge(name, Verdict.PASS) for name in FILES]
    assert headline(FILES, edges, "PyTorch").startswith("Ready to ship: 3 files agree with PyTorch")


def test_without_calibration_the_next_step_is_how_to_get_int8() -> None:
    edges = [edge(name, Verdict.PASS) for name in FILES]
    assert any("--calib" in step for step in next_steps(FILES, edges, calibrated=False, ways=4))
    assert next_steps(FILES, edges, calibrated=True, ways=4) == []


@pytest.mark.parametrize(("ways", "advice"), [(4, "every way was tried"), (1, "Leave out --exporter and --lowering")])
def test_a_drifting_float_file_is_sent_down_the_ways_that_are_left(ways: int, advice: str) -> None:
    edges = [edge("onnx", Verdict.PASS), edge("float32", Verdict.FAIL), edge("int8", Verdict.PASS)]
    (step,) = next_steps(FILES, edges, calibrated=True, ways=ways)
    assert advice in step


def test_exit_codes_are_as_designed() -> None:
    codes = [exit_code(verdict) for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)]
    assert codes == [ExitCode.PASS, ExitCode.PARITY_FAILED, ExitCode.INCONCLUSIVE] == [0, 1, 5]
