"""Which ways are open, in which order they are tried, and what is remembered of them."""

from __future__ import annotations

import pytest

from convert.ladder import ORDER, Ladder, Way, on_the_way, ways
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.to_tflite import SavedModelToTflite
from verify.report.types import Rung, RungOutcome

ALL = (ExportOnnx(), OnnxToSavedModel(), SavedModelToTflite())


def test_both_exporters_are_tried_with_the_exact_lowering_before_onnx2tf() -> None:
    assert [(way.exporter, way.lowering) for way in ways(ALL)] == list(ORDER)
    assert ORDER[:2] == (("newer", "exact"), ("older", "exact"))


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ((ExportOnnx(exporter="older"), OnnxToSavedModel()), [("older", "exact"), ("older", "onnx2tf")]),
        ((ExportOnnx(), OnnxToSavedModel(lowering="onnx2tf")), [("newer", "onnx2tf"), ("older", "onnx2tf")]),
        ((ExportOnnx(exporter="newer"), OnnxToSavedModel(lowering="exact")), [("newer", "exact")]),
        ((ExportOnnx(),), [("newer", ""), ("older", "")]),
        ((OnnxToSavedModel(), SavedModelToTflite()), [("", "exact"), ("", "onnx2tf")]),
    ],
)
def test_an_option_pins_its_dimension(stages: tuple[ExportOnnx, ...], expected: list[tuple[str, str]]) -> None:
    assert [(way.exporter, way.lowering) for way in ways(stages)] == expected


def test_an_exporter_that_is_out_takes_its_lowerings_with_it() -> None:
    ladder = Ladder(ways(ALL))
    ladder.leave(Way("newer", "exact"), RungOutcome.PARITY, "onnx does not agree")
    ladder.leave_exporter("newer")

    assert ladder.next() == Way("older", "exact")
    ladder.leave(Way("older", "exact"), RungOutcome.FAILED, "Det")
    assert ladder.next() == Way("older", "onnx2tf")
    assert ladder.is_last(Way("older", "onnx2tf"))


def test_the_export_stage_that_fell_back_is_asked_again_with_the_same_options() -> None:
    ladder = Ladder(ways(ALL))
    way = ladder.fall_back(Way("newer", "exact"), "torch.export stopped")
    assert way == ladder.fall_back(Way("newer", "exact"), "told again") == Way("older", "exact")
    ladder.leave(way, RungOutcome.FAILED, "Det")

    assert ladder.next() == Way("older", "onnx2tf")
    export, lower, _ = on_the_way(ALL, Way("older", "onnx2tf"), fell_back=ladder.fell_back)
    assert (export, lower) == (ExportOnnx(), OnnxToSavedModel(lowering="onnx2tf"))


def test_a_way_that_was_left_has_its_reason_and_the_used_one_comes_last() -> None:
    ladder = Ladder(ways(ALL))
    ladder.leave(Way("newer", "exact"), RungOutcome.FAILED, "Det")

    assert ladder.used(Way("older", "exact")) == (
        Rung("newer", "exact", RungOutcome.FAILED, "Det"),
        Rung("older", "exact", RungOutcome.USED),
    )


def test_what_was_used_last_time_is_tried_first_and_what_was_left_is_not_tried_again() -> None:
    ladder = Ladder(ways(ALL))
    ladder.leave(Way("newer", "exact"), RungOutcome.PARITY, "5.4 dB")
    rungs = ladder.used(Way("older", "exact"))

    again = Ladder.remembering(ways(ALL), rungs)

    assert again.next() == Way("older", "exact")
    assert again.used(Way("older", "exact")) == rungs
    again.leave(Way("older", "exact"), RungOutcome.PARITY, "other samples tell")
    assert again.next() == Way("newer", "onnx2tf")
