"""Wrong models that other checks pass, each shown by calling the other check, and that ``verify`` fails.

onnx2tf's ``-cotof`` counts what it flags 0 (unmatched) as an error; 1 is matched, 2 is skipped. ai-edge-quantizer's
validation gives numbers by tensor and no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from liars_jobs import onnx2tf_flags, onnx2tf_probe, quantizer_metrics
from liars_models import (
    run_onnx,
    write_attention,
    write_head,
    write_maps,
    write_thousand,
    write_thousand_tflite,
    write_two_heads,
)

from verify.chain.judging import floors_of
from verify.chain.run import run_chain
from verify.chain.settings import ChainSettings
from verify.chain.verification import verification_of
from verify.errors import InputError
from verify.faults.inject import inject
from verify.opening import Layout
from verify.report.types import Verdict

UNMATCHED, MATCHED, SKIPPED = 0, 1, 2
CHANNELS_LAST = (Layout("image", "NHWC"),)


@dataclass(frozen=True)
class Ours:
    verdict: Verdict
    failures: set[str | None]


def ours(expected: Path, actual: Path, layouts: tuple[Layout, ...] = ()) -> Ours:
    with run_chain((expected, actual), ChainSettings(max_samples=8, layouts=layouts), lambda _phrase: None) as chain:
        verification = verification_of(chain, *floors_of(chain))
    outputs = [output for edge in verification.edges for output in edge.outputs]
    return Ours(verification.verdict, {output.failure for output in outputs})


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def _flags(worker, folder: Path, expected: dict[str, np.ndarray], given: dict[str, np.ndarray]) -> dict[str, int]:
    paths = folder / "expected.npz", folder / "given.npz"
    np.savez(paths[0], **expected)
    np.savez(paths[1], **given)
    return worker.run(onnx2tf_flags, expected=paths[0], given=paths[1]).value


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """Samples as the TFLite net of make_tf_models.py stores them."""
    path = tmp_path_factory.mktemp("inputs") / "inputs.npz"
    np.savez(path, image=_random(4, 8, 6, 3), token=np.arange(4, dtype=np.int32))
    return path


def test_one_nan_in_a_thousand_is_skipped_by_onnx2tf(tensorflow_worker, tmp_path):
    right, wrong = write_thousand(tmp_path / "right.onnx"), write_thousand(tmp_path / "wrong.onnx", nan=True)
    features = _random(1, 8)
    outputs = [run_onnx(path, features=features) for path in (right, wrong)]
    assert np.isnan(outputs[1]["scores"]).sum() == 1
    assert _flags(tensorflow_worker, tmp_path, *outputs) == {"scores": SKIPPED}
    noticed = {"scores": np.ones_like(outputs[0]["scores"])}
    assert _flags(tensorflow_worker, tmp_path, outputs[0], noticed) == {"scores": UNMATCHED}
    assert ours(right, wrong) == Ours(Verdict.FAIL, {"one-sided NaN"})


def test_one_nan_in_a_thousand_is_a_number_to_the_quantizers_validation(runtime_worker, tf_models, inputs, tmp_path):
    net = tf_models / "net_float32.tflite"
    right = write_thousand_tflite(net, tmp_path / "right.tflite")
    wrong = write_thousand_tflite(net, tmp_path / "wrong.tflite", nan=True)
    pair = {"reference": right, "target": wrong, "samples": inputs}
    ratios = runtime_worker.run(quantizer_metrics, metric="median_diff_ratio", **pair).value
    cosines = runtime_worker.run(quantizer_metrics, metric="cosine_similarity", **pair).value
    assert set(ratios.values()) == {0.0}
    assert min(cosines.values()) > 0.99
    found = ours(right, wrong, CHANNELS_LAST)
    assert found.verdict is Verdict.FAIL
    assert "one-sided NaN" in found.failures


def test_nan_on_both_sides_is_a_match_to_onnx2tf(tensorflow_worker, tmp_path):
    wrong = write_thousand(tmp_path / "wrong.onnx", nan=True)
    outputs = run_onnx(wrong, features=_random(1, 8))
    assert _flags(tensorflow_worker, tmp_path, outputs, outputs) == {"scores": MATCHED}
    assert ours(wrong, wrong) == Ours(Verdict.FAIL, {"non-finite output"})


def test_height_and_width_swapped_is_a_match_to_onnx2tf(tensorflow_worker, tmp_path):
    right = write_maps(tmp_path / "right.onnx")
    wrong = write_maps(tmp_path / "wrong.onnx", height_width_swapped=True)
    image = _random(1, 3, 12, 12)
    expected, given = (run_onnx(path, image=image)["maps"] for path in (right, wrong))
    channels_last = {"maps": given.transpose(0, 2, 3, 1)}
    assert not np.allclose(expected, given, atol=0.1)
    assert _flags(tensorflow_worker, tmp_path, {"maps": expected}, channels_last) == {"maps": MATCHED}
    assert ours(right, wrong) == Ours(Verdict.FAIL, {"over tolerance"})


def test_a_wrong_shape_is_skipped_by_onnx2tf(tensorflow_worker, tmp_path):
    right, wrong = write_maps(tmp_path / "right.onnx"), write_thousand(tmp_path / "wrong.onnx")
    expected = run_onnx(right, image=_random(1, 3, 12, 12))
    given = {"maps": run_onnx(wrong, features=_random(1, 8))["scores"]}
    assert _flags(tensorflow_worker, tmp_path, expected, given) == {"maps": SKIPPED}


def test_attention_over_the_wrong_axis_passes_the_probe_of_ones(tensorflow_worker, tmp_path):
    right, wrong = write_attention(tmp_path / "right.onnx"), write_attention(tmp_path / "wrong.onnx", axis=-2)
    probes = [
        tensorflow_worker.run(onnx2tf_probe, model=path, output_names=("mixed",), target=path.with_suffix(".npz")).value
        for path in (right, wrong)
    ]
    flags = tensorflow_worker.run(onnx2tf_flags, expected=probes[0], given=probes[1]).value
    assert flags == {"mixed": MATCHED}
    assert ours(right, wrong) == Ours(Verdict.FAIL, {"over tolerance"})


def test_exchanged_outputs_pass_the_quantizers_validation(runtime_worker, tf_models, inputs, tmp_path):
    """It compares tensors by their names, whichever output of the signature gives them."""
    right = tf_models / "net_float32.tflite"
    wrong = inject(kind="outputs_swapped", path=right, folder=tmp_path, seed=0).path
    pair = {"reference": right, "target": wrong, "samples": inputs}
    assert set(runtime_worker.run(quantizer_metrics, metric="mse", **pair).value.values()) == {0.0}
    with pytest.raises(InputError, match=r"features is \(N, 8, 6, 32\) in .* and \(N, 40\)"):
        ours(right, wrong, CHANNELS_LAST)


def test_an_output_too_many_passes_the_quantizers_validation(runtime_worker, tf_models, inputs, tmp_path):
    right = tf_models / "net_float32.tflite"
    wrong = inject(kind="output_extra", path=right, folder=tmp_path, seed=0).path
    pair = {"reference": right, "target": wrong, "samples": inputs}
    assert set(runtime_worker.run(quantizer_metrics, metric="mse", **pair).value.values()) == {0.0}
    assert ours(right, wrong, CHANNELS_LAST) == Ours(Verdict.FAIL, {None, "extra output"})


def test_a_missing_output_passes_lists_that_are_zipped(tmp_path):
    right, wrong = write_two_heads(tmp_path / "right.onnx"), write_two_heads(tmp_path / "wrong.onnx", boxes=False)
    features = _random(2, 8)
    lists = [list(run_onnx(path, features=features).values()) for path in (right, wrong)]
    assert all(np.allclose(one, other) for one, other in zip(*lists, strict=False))
    assert ours(right, wrong) == Ours(Verdict.FAIL, {None, "missing output"})


def test_a_batch_of_one_passes_allclose_by_broadcasting(tmp_path):
    right, wrong = write_head(tmp_path / "right.onnx"), write_head(tmp_path / "wrong.onnx", first_sample_only=True)
    ones = np.ones((5, 8), np.float32)
    expected, given = (run_onnx(path, features=ones)["logits"] for path in (right, wrong))
    assert expected.shape != given.shape
    assert np.allclose(expected, given)
    assert ours(right, wrong) == Ours(Verdict.FAIL, {"wrong shape"})


def test_small_outputs_pass_allclose_whatever_they_are(tmp_path):
    """As those of a net with random weights and untouched batch norm: its absolute tolerance is 1e-8."""
    right, wrong = write_head(tmp_path / "right.onnx", gain=1e-10), write_head(tmp_path / "wrong.onnx", gain=-1e-10)
    features = _random(4, 8)
    expected, given = (run_onnx(path, features=features)["logits"] for path in (right, wrong))
    assert np.allclose(expected, given)
    assert np.array_equal(expected, -given)
    assert ours(right, wrong) == Ours(Verdict.FAIL, {"over tolerance"})


def test_another_type_passes_allclose(tmp_path):
    right, wrong = write_head(tmp_path / "right.onnx"), write_head(tmp_path / "wrong.onnx", wide=True)
    features = _random(4, 8)
    expected, given = (run_onnx(path, features=features)["logits"] for path in (right, wrong))
    assert np.allclose(expected, given)
    assert ours(right, wrong) == Ours(Verdict.FAIL, {"wrong dtype"})
