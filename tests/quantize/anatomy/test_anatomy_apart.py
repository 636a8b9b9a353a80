"""Whatever happens while a file is looked into, the file is made: a note says what happened."""

from __future__ import annotations

import mishaps
import pytest

from convert.stages.quantize import ToInt8
from quantize.anatomy import apart
from quantize.calibration.method_names import RangesOption
from verify.artifact import Artifact, Format, sha256_of
from verify.runners.tflite_file import tflite_signature


@pytest.fixture
def look(float_models, int8):
    def run(path):
        source = float_models / "mixed.tflite"
        _, result = int8("mixed")
        return apart.anatomy_apart(
            source,
            path,
            recipe=result.recipe,
            calibration=float_models / "image.npz",
            signature=tflite_signature(source, {}),
            max_samples=128,
        )

    return run


@pytest.mark.parametrize(
    ("mishap", "words"),
    [(mishaps.abort, "ended by signal SIGABRT"), (mishaps.out_of_memory, "Unable to allocate 9.31 GiB")],
)
def test_an_abort_or_an_error_becomes_a_note(look, int8, monkeypatch, mishap, words):
    monkeypatch.setattr(apart, "anatomy_of", mishap)
    anatomy, (note,) = look(int8("mixed")[0])
    assert anatomy is None
    assert note.startswith("anatomy not measured: ")
    assert words in note


def test_a_file_with_an_op_that_litert_cannot_run_alone_is_measured_up_to_it(look, int8, tmp_path):
    mishaps.unrunnable(int8("mixed")[0], tmp_path / "net.tflite")
    anatomy, notes = look(tmp_path / "net.tflite")
    assert not notes
    assert "NotThere" in anatomy.note
    assert anatomy.layers[1].sqnr_db is not None
    assert anatomy.layers[-1].sqnr_db is None


def test_convert_keeps_the_int8_file_when_the_look_inside_aborts(float_models, monkeypatch, tmp_path):
    monkeypatch.setattr(apart, "anatomy_of", mishaps.abort)
    source = float_models / "mixed.tflite"
    artifact = Artifact(source, Format.TFLITE, tflite_signature(source, {}), sha256_of(source))
    made = ToInt8(calibration=float_models / "image.npz", ranges=RangesOption.MINMAX, corrections="none").call(
        artifact, tmp_path / "net_int8.tflite"
    )
    assert made.artifact.sha256 == sha256_of(tmp_path / "net_int8.tflite")
    assert any(note.startswith("anatomy not measured: ") for note in made.notes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.recipe.json", "net_int8.tflite"]
