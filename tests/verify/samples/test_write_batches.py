"""The split, and the jobs that write batches: disjoint, deterministic, every batch size met, memory flat."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from verify.batches import batch_paths, read_batch
from verify.errors import SamplesInvalid
from verify.jsonio import from_jsonable, to_jsonable
from verify.samples import ArrayFile, CallableSamples, ImageFolder, InputSpec, RandomSamples, SampleSource, split
from verify.samples.split import spread
from verify.samples.write import write_batches, write_calibration

INPUT = InputSpec("x", ("N", 4))
GREY = InputSpec("image", ("N", 1, 4, 4))


@given(st.integers(2, 3000), st.integers(1, 64))
@settings(deadline=None)
def test_what_judges_never_calibrates_and_nothing_is_lost(count, max_judging):
    parts = split(count, max_judging)
    assert sorted(parts.judging + parts.calibration) == list(range(count))
    assert 1 <= len(parts.judging) <= max_judging
    assert parts == split(count, max_judging)
    assert count < 4 or len(parts.calibration) >= 3 * len(parts.judging)


def test_judging_samples_are_spread_over_a_sorted_set():
    parts = split(1000, 10)
    assert parts.judging == tuple(range(99, 1000, 100))


def test_one_sample_cannot_do_both():
    with pytest.raises(SamplesInvalid, match="1 sample cannot both calibrate and judge"):
        split(1, 32)


@given(st.integers(0, 200), st.integers(1, 50))
@settings(deadline=None)
def test_spreading_keeps_order_and_limit(count, limit):
    chosen = spread(tuple(range(count)), limit)
    assert len(chosen) == min(count, limit)
    assert list(chosen) == sorted(set(chosen))


def _array(tmp_path, count: int) -> ArrayFile:
    path = tmp_path / f"data{count}.npy"
    np.save(path, np.arange(count, dtype=np.float32)[:, None].repeat(4, 1))
    return ArrayFile(path)


def _written(folder) -> list[int]:
    return [int(row[0]) for path in batch_paths(folder) for row in read_batch(path)["x"]]


def test_every_batch_size_is_met_and_every_sample_used(tmp_path):
    found = write_batches(source=_array(tmp_path, 20), inputs=(INPUT,), folder=tmp_path / "out")
    assert found.batch_sizes == (1, 2, 5, 5, 5, 2)
    assert found.sample_count == 20
    assert _written(found.folder) == list(range(20))
    assert found.description == "20 samples from data20.npy"


@pytest.mark.parametrize("count", [1, 3, 7])
def test_few_samples_are_repeated_and_it_is_said(tmp_path, count):
    found = write_batches(source=_array(tmp_path, count), inputs=(INPUT,), folder=tmp_path / "out")
    assert found.batch_sizes == (1, 2, 5)
    assert found.sample_count == count
    assert _written(found.folder) == [index % count for index in range(8)]
    assert "repeated to fill batches of 8 in all" in found.description


def test_eight_samples_are_not_repeated(tmp_path):
    found = write_batches(source=_array(tmp_path, 8), inputs=(INPUT,), folder=tmp_path / "out")
    assert (found.batch_sizes, found.description) == ((1, 2, 5), "8 samples from data8.npy")


def test_judging_and_calibration_jobs_share_one_split(tmp_path):
    source = _array(tmp_path, 50)
    judging = write_batches(source=source, inputs=(INPUT,), folder=tmp_path / "judge", max_judging=10, hold_out=True)
    calibration = write_calibration(source=source, inputs=(INPUT,), folder=tmp_path / "calib", max_judging=10)
    assert not set(_written(judging.folder)) & set(_written(calibration.folder))
    assert sorted(_written(judging.folder) + _written(calibration.folder)) == list(range(50))
    assert judging.description == "10 of 50 samples from data50.npy, held out from calibration"
    assert set(calibration.batch_sizes) == {1}


def test_nothing_is_held_out_when_other_samples_judge(tmp_path):
    source = _array(tmp_path, 50)
    found = write_calibration(source=source, inputs=(INPUT,), folder=tmp_path / "calib", hold_out=False)
    assert _written(found.folder) == list(range(50))


def test_calibration_is_capped_and_spread(tmp_path):
    source = _array(tmp_path, 100)
    found = write_calibration(source=source, inputs=(INPUT,), folder=tmp_path / "c", max_samples=10, hold_out=False)
    assert _written(found.folder) == list(range(0, 100, 10))


def test_random_calibration_never_meets_random_judging(tmp_path):
    judging = write_batches(source=RandomSamples(1), inputs=(INPUT,), folder=tmp_path / "judge", max_judging=8)
    calibration = write_calibration(
        source=RandomSamples(1), inputs=(INPUT,), folder=tmp_path / "c", max_samples=8, max_judging=8
    )
    rows = [
        row.tobytes()
        for found in (judging, calibration)
        for path in batch_paths(found.folder)
        for row in read_batch(path)["x"]
    ]
    assert len(set(rows)) == 16
    assert judging.description == "8 random samples (seed 1)"


def test_rejected_images_reach_the_report(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(9):
        Image.fromarray(np.full((4, 4), index * 20, np.uint8)).save(folder / f"{index}.png")
    (folder / "broken.png").write_bytes(b"nothing")
    found = write_batches(source=ImageFolder(folder), inputs=(GREY,), folder=tmp_path / "out")
    assert found.sample_count == 9
    assert found.description.startswith("9 of 10 images from photos/")
    assert [(refusal.subject, refusal.count) for refusal in found.refusals] == [("broken.png", 1)]


def test_no_usable_sample_is_an_error_with_the_reason(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(SamplesInvalid, match=r"no usable images .*not an image that Pillow knows"):
        write_batches(source=ImageFolder(tmp_path), inputs=(GREY,), folder=tmp_path / "out")


def test_samples_of_different_shapes_cannot_share_a_batch(tmp_path):
    code = tmp_path / "mine.py"
    code.write_text("import numpy as np\ndef f():\n    return [np.ones(3 + i, np.float32) for i in range(8)]\n")
    with pytest.raises(SamplesInvalid, match="one shape, but they differ: x"):
        write_batches(
            source=CallableSamples(f"{code}:f"), inputs=(InputSpec("x", ("N", "L")),), folder=tmp_path / "out"
        )


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path):
    """200 samples of 400 kB are 80 MB; a batch of five is 2 MB."""
    wide = InputSpec("x", ("N", 100_000))
    tracemalloc.start()
    write_batches(source=RandomSamples(), inputs=(wide,), folder=tmp_path / "out", max_judging=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6


@pytest.mark.parametrize(
    "source",
    [RandomSamples(3), ArrayFile("a.npy"), ImageFolder("photos"), CallableSamples("a.py:b")],
    ids=lambda source: source.kind,
)
def test_a_source_crosses_a_process_boundary(source):
    again = from_jsonable(SampleSource, json.loads(json.dumps(to_jsonable(source, SampleSource))))
    assert type(again) is type(source)
