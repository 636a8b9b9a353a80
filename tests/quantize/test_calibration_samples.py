from __future__ import annotations

import subprocess
import sys

import numpy as np

from quantize.calibration.samples import ContentHash, SampleStream, digest_of
from verify.batches import batch_name, write_batch
from verify.signature import Signature, TensorSpec

IMAGE = Signature((TensorSpec("image", "float32", ("N", 4, 4, 3), (0, 2, 3, 1)),), ())


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
        content = ContentHash()
        for sample in SampleStream(tmp_path / folder, IMAGE, max_samples=100):
            content.add(digest_of(sample))
        hashes.append(content.sha256)
    assert hashes[0] == hashes[1]


def test_the_quantizer_library_brings_no_framework():
    code = (
        "import sys; from ai_edge_quantizer import quantizer, recipe; import quantize.jobs, quantize.tflite; "
        "print(sorted({'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
