"""The drawing of the pipeline: each model once, each edge an arrow, whatever the run made."""

from __future__ import annotations

import dataclasses

import pytest
from report_samples import SAMPLES, failing, float_edge, passing

from verify.report import cards
from verify.report.chain import draw_lying, draw_upright


@pytest.mark.parametrize("draw", [draw_lying, draw_upright])
def test_every_model_is_drawn_once_with_an_arrow_into_it(draw):
    drawing = draw(passing())
    titles = [box.title for box in drawing.boxes]
    assert titles == ["PyTorch", "ONNX", "SavedModel", "float32", "float16", "dynamic int8", "int8"]
    assert [arrow.label for arrow in drawing.arrows] == [
        "✓ 118.4 dB", "✓ 116.2 dB", "✓ identical", "✓ 71.3 dB", "✓ 37.8 dB", "✓ 29.6 dB",
    ]  # fmt: skip


@pytest.mark.parametrize("draw", [draw_lying, draw_upright])
@pytest.mark.parametrize("name", SAMPLES)
def test_boxes_stay_inside_the_drawing_and_apart(draw, name):
    drawing = draw(SAMPLES[name]())
    assert all(box.x + box.width <= drawing.width and box.y + box.height <= drawing.height for box in drawing.boxes)
    for one in drawing.boxes:
        for other in drawing.boxes:
            apart = one.x + one.width <= other.x or other.x + other.width <= one.x
            assert one is other or apart or one.y + one.height <= other.y or other.y + other.height <= one.y


def test_a_file_compared_only_with_pytorch_hangs_on_pytorch():
    report = passing()
    only = tuple(edge for edge in report.edges if edge.expected == "pytorch")
    drawing = draw_lying(dataclasses.replace(report, edges=only))
    assert len(drawing.arrows) == len(drawing.boxes) - 1 == 6


def test_a_run_from_onnx_has_onnx_as_its_reference():
    report = passing()
    edges = tuple(edge for edge in report.edges if edge.expected != "pytorch")
    report = dataclasses.replace(report, edges=edges, model=None)
    assert cards.reference(report) == "onnx"
    assert draw_lying(report).boxes[0].lines == ("the reference",)


def test_edges_in_a_circle_end():
    report = dataclasses.replace(passing(), edges=(float_edge("a", "b"), float_edge("b", "a")))
    assert len(draw_lying(report).boxes) <= 2


def test_a_fault_is_told_once_with_every_edge_that_shows_it():
    float16, int8 = cards.troubles(failing())
    assert (float16.artifact_name, float16.failure) == ("float16", "one-sided NaN")
    assert [edge.expected for edge in float16.edges] == ["float32", "pytorch"]
    assert len(float16.explanations) == 1
    assert int8.failure == "over budget"


def test_the_worst_output_decides_what_an_edge_shows():
    edge = passing().edges[0]
    good = dataclasses.replace(edge.outputs[0], sqnr_db=120.0)
    bad = dataclasses.replace(edge.outputs[0], sqnr_db=80.0)
    same = dataclasses.replace(edge.outputs[0], sqnr_db=None, identical=True)
    assert cards.fidelity(dataclasses.replace(edge, outputs=(good, same, bad))) == "80.0 dB"
    assert cards.fidelity(dataclasses.replace(edge, outputs=(same,))) == "identical"
    assert cards.fidelity(dataclasses.replace(edge, outputs=())) == "–"
