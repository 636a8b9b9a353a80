from __future__ import annotations

import subprocess
import sys

import numpy as np

from quantize.calibration.observe import Extremes
from quantize.calibration.ranges import RunningRanges
from quantize.calibration.samples import SampleStream
from verify.batches import batch_name, write_batch
from verify.signature import Signature, TensorSpec

IMAGE = Signature((TensorSpec("image", "float32", ("N", 4, 4, 3), (0, 2, 3, 1)),), ())


def extremes(*pairs: tuple[float, float]) -> list[Extremes]:
    return [Extremes(np.array([low], np.float32), np.array([high], np.float32)) for low, high in pairs]


def running(seen: list[Extremes]) -> RunningRanges:
    ranges = RunningRanges()
    for one in seen:
        ranges.update(one)
    return ranges


def test_the_widest_does_not_depend_on_the_order_of_samples():
    seen = extremes((-1, 2), (-3, 1), (0, 5))
    for order in (seen, seen[::-1]):
        assert running(order).widened(1.0) == Extremes(np.float32([-3]), np.float32([5]))


def test_the_average_is_the_librarys_own_to_the_last_bit():
    from ai_edge_quantizer.utils.calibration_utils import moving_average_update

    random = np.random.default_rng(0)
    seen = extremes(*zip(-random.random(20), random.random(20), strict=True))
    theirs = {}
    for one in seen:
        theirs = moving_average_update(theirs, {"min": one.low, "max": one.high})
    ours = running(seen).widened(0.0)
    assert (ours.low, ours.high) == (theirs["min"], theirs["max"])
    assert ours.low.dtype == np.float32


def test_half_widened_is_half_way():
    ranges = running(extremes((0, 1), (-1, 3)))
    average, widest, half = (ranges.widened(by) for by in (0.0, 1.0, 0.5))
    np.testing.assert_allclose(half.low, (average.low + widest.low) / 2, rtol=1e-6)
    np.testing.assert_allclose(half.high, (average.high + widest.high) / 2, rtol=1e-6)


def test_samples_come_one_at_a_time_in_the_models_layout(tmp_path):
    batches = np.random.default_rng(0).normal(size=(7, 3, 4, 4)).astype(np.float32)
    write_batch(tmp_path / batch_name(0), {"image": batches[:5]})
    write_batch(tmp_path / batch_name(1), {"image": batches[5:]})
    stream = SampleStream(tmp_path, IMAGE, max_samples=6)
    rows = [row["image"] for row in stream]
    assert stream.count == 6
    np.testing.assert_array_equal(np.concatenate(rows), batches[:6].transpose(0, 2, 3, 1))


def test_the_content_hash_does_not_depend_on_how_samples_are_batched(tmp_path):
    images = np.random.default_rng(0).normal(size=(4, 3, 4, 4)).astype(np.float32)
    write_batch(tmp_path / "whole" / batch_name(0), {"image": images})
    for index in range(4):
        write_batch(tmp_path / "split" / batch_name(index), {"image": images[index : index + 1]})
    hashes = []
    for folder in ("whole", "split"):
        stream = SampleStream(tmp_path / folder, IMAGE, max_samples=100)
        list(stream)
        hashes.append(stream.sha256)
    assert hashes[0] == hashes[1]


def test_the_quantizer_library_brings_no_framework():
    code = (
        "import sys; from ai_edge_quantizer import quantizer, recipe; import quantize.jobs, quantize.tflite; "
        "print(sorted({'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
