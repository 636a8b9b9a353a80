"""The sentence that a verification is summed up in: short, and about the worst."""

from __future__ import annotations

import dataclasses

import pytest
from report_samples import comparison, float_edge, quantized_edge
from verification_samples import passing

from verify.chain.headline import headline
from verify.report.types import TaskComparison, Verdict


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    made = passing(tmp_path_factory.mktemp("models")).models[0]
    return tuple(dataclasses.replace(made, name=name) for name in ("net.pth", "net.onnx", "net.tflite"))


OVER = "Over tolerance: RMS error 1.00e-03 is 3500 × the noise floor."


def _over(sqnr_db: float, multiple: float, name: str = "logits"):
    made = comparison(
        sqnr_db, floor=multiple, verdict=Verdict.FAIL, failure="over tolerance", explanation=OVER, name=name
    )
    return dataclasses.replace(made, rms_error=multiple * 1e-6, tolerance_rms=16e-6)


def _failing(expected: str, actual: str, *outputs):
    return float_edge(expected, actual, *outputs, verdict=Verdict.FAIL)


def test_of_edges_that_are_alike_the_first_is_told(models):
    edges = (
        _failing("net.pth", "net.onnx", _over(27.0, 3500)),
        float_edge("net.onnx", "net.tflite", comparison(130)),
        _failing("net.pth", "net.tflite", _over(26.8, 3600)),
    )
    assert headline(models, edges) == (
        "net.onnx does not agree with net.pth: output logits, over tolerance (27.0 dB, 3,500× the noise floor). "
        "2 of 3 comparisons fail."
    )


def test_an_edge_that_is_much_worse_is_told_before_an_earlier_one(models):
    edges = (_failing("net.pth", "net.onnx", _over(90, 20)), _failing("net.pth", "net.tflite", _over(3, 1e7)))
    assert headline(models, edges).startswith("net.tflite does not agree with net.pth")


def test_a_right_model_is_not_blamed_for_its_predecessor(models):
    edges = (_failing("net.onnx", "net.tflite", _over(3, 1e7)), _failing("net.pth", "net.onnx", _over(9, 1e6)))
    assert headline(models, edges).startswith("net.onnx does not agree with net.pth")


def test_the_worst_output_is_told_and_the_others_are_counted(models):
    edges = (_failing("net.pth", "net.onnx", _over(90, 20, "boxes"), _over(3, 1e7), comparison(130, name="aux")),)
    assert "output logits, over tolerance (3.0 dB, 1.0e7× the noise floor), and 1 more output." in headline(
        models, edges
    )


def test_what_is_no_number_is_told_in_the_first_words_of_its_explanation(models):
    explanation = "Wrong shape: (2, 10) as expected, (10, 2) as given; nothing is transposed. And so on."
    output = comparison(None, verdict=Verdict.FAIL, failure="wrong shape", explanation=explanation)
    told = headline(models, (_failing("net.pth", "net.onnx", output),))
    assert (
        told
        == "net.onnx does not agree with net.pth: output logits, wrong shape: (2, 10) as expected, (10, 2) as given."
    )


def test_a_task_that_is_undecided_is_open_and_says_what_is_missing(models):
    task = TaskComparison("top-1", 32, 1, 1, 0, -0.05, 0.05, 0.001, Verdict.INCONCLUSIVE, "Top-1 …")
    edge = quantized_edge("net.pth", "net.tflite", comparison(40, floor=None), verdict=Verdict.INCONCLUSIVE)
    assert headline(models, (dataclasses.replace(edge, task=task),)) == (
        "It is open whether net.tflite agrees with net.pth: "
        "32 samples are too few to tell whether top-1 drops by more than 0.1 points."
    )
