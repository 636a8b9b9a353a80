"""Equalisation and smoothing change no result of the float model, and make activations' channels equally wide."""

from __future__ import annotations

import numpy as np
import pytest

from quantize.correction.apply import before_calibration
from quantize.correction.decisions import Corrections
from quantize.correction.equalize import ChannelExtremes, room_of
from quantize.correction.names import Correction
from quantize.correction.patches import opened, prepared
from quantize.correction.stepped_model import SteppedModel
from verify.stepping.contents import name_of_op


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(3)
    return [{"image": random.normal(size=(1, 16, 16, 3)).astype(np.float32)} for _ in range(8)]


def outputs(path, samples) -> list[np.ndarray]:
    run = SteppedModel(path, samples, lambda tensor, values: found.update({tensor: values}))
    found: dict[int, list[np.ndarray]] = {}
    run.stepper.finish()
    return found[int(run.graph.outputs[0])]


@pytest.mark.parametrize(
    ("model", "correction"),
    [
        ("uneven", Correction.EQUALIZE),
        ("grouped", Correction.EQUALIZE),
        ("joined", Correction.EQUALIZE),
        ("joined", Correction.CONCAT),
        ("sliced", Correction.EQUALIZE),
        ("interleaved", Correction.EQUALIZE),
        ("branches", Correction.CONCAT),
        ("normalised", Correction.SMOOTH),
    ],
)
def test_the_float_model_gives_what_it_gave(model, correction, float_models, samples):
    path = float_models / f"{model}.tflite"
    corrections = before_calibration(path, samples, {correction})
    factors = np.concatenate([opened(each.factors, np.float32) for each in corrections.scaled])
    assert factors.max() > 2
    with prepared(path, corrections) as changed:
        pairs = zip(outputs(path, samples), outputs(changed, samples), strict=True)
        for before, after in pairs:
            np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5 * np.abs(before).max())


@pytest.mark.parametrize("model", ["clipped", "gated"])
def test_channels_under_relu6_or_a_sigmoid_stay(model, float_models, samples):
    assert before_calibration(float_models / f"{model}.tflite", samples, set(Correction)).scaled == ()


def test_nothing_is_changed_unless_it_is_asked_for(float_models, samples):
    path = float_models / "uneven.tflite"
    assert before_calibration(path, samples, {Correction.BIAS}).scaled == ()
    assert before_calibration(path, samples, {Correction.SMOOTH}).scaled == ()
    with prepared(path, Corrections()) as same:
        assert same == path


def test_channels_come_out_more_equally_wide(float_models, samples):
    path = float_models / "uneven.tflite"
    with prepared(path, before_calibration(path, samples, {Correction.EQUALIZE})) as changed:
        assert _spread(changed, samples) < _spread(path, samples) ** 0.6


def _spread(path, samples) -> float:
    """How much wider the widest channel of the first layer's output is than the narrowest."""
    run = SteppedModel(path, samples, lambda tensor, values: found.update({tensor: values}))
    found: dict[int, list[np.ndarray]] = {}
    run.stepper.finish()
    (_, first), *_ = run.layers().values()
    widths = np.max([each.reshape(-1, each.shape[-1]).max(0) for each in found[first.output]], axis=0)
    return float(widths.max() / widths.min())


def test_the_small_branch_of_a_concatenation_is_not_crushed(float_models, samples):
    path = float_models / "branches.tflite"
    corrections = before_calibration(path, samples, {Correction.CONCAT})
    assert corrections.names == ("concat",)
    with prepared(path, corrections) as changed:
        assert _joined_widths(path, samples).min() < 0.05
        assert _joined_widths(changed, samples).min() > 0.1


def _joined_widths(path, samples) -> np.ndarray:
    """Of each channel of the one concatenation, beside the widest."""
    run = SteppedModel(path, samples, lambda tensor, values: found.update({tensor: values}))
    found: dict[int, list[np.ndarray]] = {}
    run.stepper.finish()
    (joined,) = [each.outputs[0] for each in run.graph.operators if name_of_op(run.model, each) == "CONCATENATION"]
    widths = np.max([np.abs(each).reshape(-1, each.shape[-1]).max(0) for each in found[int(joined)]], axis=0)
    return widths / widths.max()


def test_a_tail_that_all_channels_have_may_grow():
    """SiLU's -0.28: were it the limit, no channel could be widened."""
    low, high = np.full(8, -0.28, np.float32), np.geomspace(0.5, 8, 8).astype(np.float32)
    room = room_of(ChannelExtremes(low, high))
    assert room.min() >= 1
    assert room[0] > 3
    assert (room * high).max() <= 8.001


def test_channels_are_moved_towards_zero_and_the_model_gives_what_it_gave(float_models, samples):
    path = float_models / "off_centre.tflite"
    corrections = before_calibration(path, samples, {Correction.SHIFT})
    assert len(corrections.shifted) == 4
    with prepared(path, corrections) as changed:
        assert _range_of_sum(changed, samples) < 0.6 * _range_of_sum(path, samples)
        for before, after in zip(outputs(path, samples), outputs(changed, samples), strict=True):
            np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5 * np.abs(before).max())


def _range_of_sum(path, samples) -> float:
    run = SteppedModel(path, samples, lambda tensor, values: found.update({tensor: np.stack(values)}))
    found: dict[int, np.ndarray] = {}
    run.stepper.finish()
    (total,) = [each.outputs[0] for each in run.graph.operators if name_of_op(run.model, each) == "ADD"]
    return float(np.ptp(np.append(found[int(total)], 0)))


@pytest.mark.parametrize("model", ["clipped", "plain", "strided"])
def test_no_channel_is_moved_where_a_function_or_padding_would_see_it(model, float_models, samples):
    assert before_calibration(float_models / f"{model}.tflite", samples, {Correction.SHIFT}).shifted == ()
