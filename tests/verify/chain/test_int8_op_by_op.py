"""An int8 file whose op is wrong fails within the default budget, with the op named; a file without a fault passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from verify.chain.judging import floors_of, judge_edges
from verify.chain.own_rounding import BY_OPS, OP_WRONG
from verify.chain.run import run_another, run_chain
from verify.chain.settings import ChainSettings
from verify.faults.tflite_model import TfliteModel
from verify.opening import Layout
from verify.report.types import Verdict

LAYOUTS = (Layout("image", "NHWC"), Layout("features", "NHWC"))


@pytest.fixture(scope="module")
def chain(tf_models):
    """The float file and the one that TensorFlow's converter quantized, run once."""
    settings = ChainSettings(layouts=LAYOUTS, max_samples=16, latencies=False)
    paths = (tf_models / "net_float32.tflite", tf_models / "net_int8.tflite")
    with run_chain(paths, settings, lambda _: None) as running:
        yield running


def judged(chain, path, folder):
    ran = run_another(chain, path, folder)
    (edge,) = judge_edges(replace(chain, models=(chain.models[0], ran)), floors_of(chain)[0])
    return edge


def with_weights(path, kind, change, target):
    """A copy with one op's weights changed in place."""
    model = TfliteModel(path)
    (weight,) = (each for each in model.weights() if each.node.kind == kind)
    values = model.constant(weight.tensor).copy()
    change(values)
    model.set_constant(weight.tensor, np.ascontiguousarray(values))
    model.write(target)
    return target


def swap_two_channels(values):
    values[[0, 1]] = values[[1, 0]]


def test_a_file_without_a_fault_passes(chain):
    (edge,) = judge_edges(chain, floors_of(chain)[0])
    assert edge.verdict is Verdict.PASS, [each.explanation for each in edge.outputs]
    assert edge.budget.endswith(BY_OPS)


@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED"])
def test_an_op_with_two_channels_exchanged_fails_within_a_budget_of_nothing(chain, tf_models, tmp_path, kind):
    path = with_weights(tf_models / "net_int8.tflite", kind, swap_two_channels, tmp_path / "net_int8.tflite")
    lenient = replace(chain, settings=replace(chain.settings, min_sqnr_db=-100.0))
    edge = judged(lenient, path, tmp_path / "run")
    failures = {each.failure for each in edge.outputs if each.verdict is Verdict.FAIL}
    assert failures == {OP_WRONG}
    told = next(each.explanation for each in edge.outputs if each.failure == OP_WRONG)
    assert f"but {kind} " in told
    assert "what its own rounding explains" in told


def test_weights_that_were_rounded_the_other_way_pass(chain, tf_models, tmp_path):
    def nudge(values):
        random = np.random.default_rng(0)
        values += random.integers(0, 2, values.shape, np.int8) * (np.abs(values) < 126)

    path = with_weights(tf_models / "net_int8.tflite", "FULLY_CONNECTED", nudge, tmp_path / "net_int8.tflite")
    assert judged(chain, path, tmp_path / "run").verdict is Verdict.PASS
