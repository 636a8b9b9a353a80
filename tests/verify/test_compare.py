"""A comparator is worth what it can fail: one test a way of failing, and the ways of passing."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from edges import FLOAT, FLOOR, QUANTIZED, SIZES
from edges import changed as _changed
from edges import compare as _compare
from edges import outputs as _outputs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verify.jsonio import from_jsonable, to_jsonable
from verify.report.types import EdgeKind, EdgeReport, Verdict
from verify.tolerance import FloatBudget, OutputFloor, QuantizedBudget


def _noisy(rms: float) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(1)
    return [{"y": batch["y"] + random.normal(0, rms, batch["y"].shape).astype(np.float32)} for batch in _outputs()]


def _set(batches, value, batch=1) -> None:
    batches[batch]["y"][1, 3] = value


FAILURES = {
    "missing output": lambda b: b[1].pop("y"),
    "extra output": lambda b: b[2].update(z=np.ones(3)),
    "wrong shape": lambda b: b[1].update(y=b[1]["y"].T.copy()),
    "wrong dtype": lambda b: b[0].update(y=b[0]["y"].astype(np.float64)),
    "one-sided NaN": lambda b: _set(b, np.nan),
    "one-sided Inf": lambda b: _set(b, np.inf),
    "over tolerance": lambda b: _set(b, 7.0),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_has_its_own_name(tmp_path, failure):
    edge = _compare(tmp_path, _outputs(), _changed(FAILURES[failure]))
    assert edge.verdict is Verdict.FAIL
    assert [output.failure for output in edge.outputs if output.verdict is Verdict.FAIL] == [failure]
    assert failure in edge.outputs[-1].explanation.lower() or failure.split()[-1] in edge.outputs[-1].explanation


@pytest.mark.parametrize("budget", [FLOAT, QUANTIZED], ids=["float", "quantized"])
@pytest.mark.parametrize("failure", sorted(FAILURES.keys() - {"over tolerance"}))
def test_no_budget_buys_a_broken_contract(tmp_path, failure, budget):
    generous = FloatBudget((OutputFloor("y", 1e9, 1e9, "none"),)) if budget is FLOAT else QuantizedBudget(-1000.0)
    edge = _compare(tmp_path, _outputs(), _changed(FAILURES[failure]), generous)
    assert edge.verdict is Verdict.FAIL


@pytest.mark.parametrize(("bad", "failure"), [(np.nan, "non-finite output"), (np.inf, "non-finite output")])
def test_both_sides_non_finite_is_no_pass(tmp_path, bad, failure):
    edge = _compare(tmp_path, _changed(lambda b: _set(b, bad)), _changed(lambda b: _set(b, bad)))
    assert edge.outputs[0].failure == failure
    assert edge.verdict is Verdict.FAIL
    assert "1 of 12 values" in edge.outputs[0].explanation


def test_nan_in_different_places_is_one_sided(tmp_path):
    edge = _compare(tmp_path, _changed(lambda b: _set(b, np.nan, 1)), _changed(lambda b: _set(b, np.nan, 2)))
    assert edge.outputs[0].failure == "one-sided NaN"


def test_infinities_of_opposite_sign_are_one_sided(tmp_path):
    edge = _compare(tmp_path, _changed(lambda b: _set(b, np.inf)), _changed(lambda b: _set(b, -np.inf)))
    assert edge.outputs[0].failure == "one-sided Inf"


def test_no_batches_is_nothing_compared(tmp_path):
    edge = _compare(tmp_path, [], [])
    assert edge.verdict is Verdict.FAIL
    assert [output.failure for output in edge.outputs] == ["nothing compared"]


def test_no_outputs_is_nothing_compared(tmp_path):
    edge = _compare(tmp_path, [{}], [{}])
    assert [output.failure for output in edge.outputs] == ["nothing compared"]


def test_an_empty_array_is_nothing_compared(tmp_path):
    empty = [{"y": np.zeros((2, 0), np.float32)}]
    assert _compare(tmp_path, empty, empty).outputs[0].failure == "nothing compared"


def test_a_missing_batch_is_a_missing_output(tmp_path):
    edge = _compare(tmp_path, _outputs(), _outputs()[:2])
    assert edge.outputs[0].failure == "missing output"
    assert "batch_002.npz" in edge.outputs[0].explanation


def test_a_batch_too_many_is_an_extra_output(tmp_path):
    assert _compare(tmp_path, _outputs()[:2], _outputs()).outputs[0].failure == "extra output"


@pytest.mark.parametrize("value", [0.0, 0.125])
def test_one_value_everywhere_is_a_constant_output_even_when_identical(tmp_path, value):
    constant = _changed(lambda b: [batch["y"].fill(value) for batch in b])
    edge = _compare(tmp_path, constant, constant)
    assert edge.verdict is Verdict.FAIL
    assert edge.outputs[0].failure == "constant output"


def test_the_same_output_for_every_sample_is_a_constant_output(tmp_path):
    row = np.arange(6, dtype=np.float32)
    constant = [{"y": np.tile(row, (size, 1))} for size in SIZES]
    assert _compare(tmp_path, constant, constant).outputs[0].failure == "constant output"


def test_the_same_output_for_one_repeated_sample_is_expected(tmp_path):
    row = np.arange(6, dtype=np.float32)
    same = [{"y": np.tile(row, (size, 1))} for size in SIZES]
    assert _compare(tmp_path, same, same, sample_count=1).verdict is Verdict.PASS


def test_a_model_that_collapsed_to_a_constant_is_named_so(tmp_path):
    collapsed = _changed(lambda b: [batch["y"].fill(0.5) for batch in b])
    edge = _compare(tmp_path, _outputs(), collapsed, QUANTIZED)
    assert edge.outputs[0].failure == "constant output"
    assert "as given, every value is 0.5" in edge.outputs[0].explanation


def test_equal_integer_outputs_that_never_vary_are_inconclusive(tmp_path):
    classes = [{"y": np.full(size, 3, np.int64)} for size in SIZES]
    edge = _compare(tmp_path, classes, [{"y": batch["y"].astype(np.int32)} for batch in classes])
    assert edge.verdict is Verdict.INCONCLUSIVE


def test_identical_outputs_pass_and_say_so(tmp_path):
    edge = _compare(tmp_path, _outputs(), _outputs())
    assert edge.verdict is Verdict.PASS
    output = edge.outputs[0]
    assert output.identical
    assert output.sqnr_db is None
    assert output.rms_error == 0
    assert output.explanation == "All 48 values are bit-identical."
    assert edge.batch_sizes == SIZES
    assert edge.kind is EdgeKind.FLOAT


@pytest.mark.parametrize(("rms", "verdict"), [(8e-6, Verdict.PASS), (24e-6, Verdict.FAIL)])
def test_a_float_edge_is_judged_in_noise_floors(tmp_path, rms, verdict):
    edge = _compare(tmp_path, _outputs(), _noisy(rms))
    output = edge.outputs[0]
    assert edge.verdict is verdict
    assert output.noise_floor_multiple == pytest.approx(rms / FLOOR.rms, rel=0.3)
    assert output.tolerance_rms == pytest.approx(16e-6)
    assert output.sqnr_db == pytest.approx(-20 * np.log10(rms), abs=2)


def test_one_outlier_fails_though_the_mean_is_fine(tmp_path):
    """A single element at 30 max-floors hides in the RMS of many."""
    expected, actual = _outputs(classes=5000), _outputs(classes=5000)
    actual[2]["y"][4, 17] += np.float32(120e-6)
    edge = _compare(tmp_path, expected, actual)
    assert edge.outputs[0].rms_error < 16 * FLOOR.rms
    assert edge.outputs[0].failure == "over tolerance"


@pytest.mark.parametrize(("rms", "verdict"), [(0.08, Verdict.PASS), (0.12, Verdict.FAIL)])
def test_a_quantized_edge_is_judged_in_db(tmp_path, rms, verdict):
    edge = _compare(tmp_path, _outputs(), _noisy(rms), QUANTIZED)
    assert edge.verdict is verdict
    assert edge.kind is EdgeKind.QUANTIZED
    assert edge.outputs[0].failure == (None if verdict is Verdict.PASS else "below budget")
    assert edge.outputs[0].tolerance_rms == pytest.approx(0.1, rel=0.15)


def test_an_output_without_a_floor_is_inconclusive_not_passed(tmp_path):
    edge = _compare(tmp_path, _outputs(), _noisy(1e-9), FloatBudget(()))
    assert edge.verdict is Verdict.INCONCLUSIVE
    assert edge.outputs[0].failure == "no noise floor"


def test_one_failing_output_fails_the_edge(tmp_path):
    expected = [{**batch, "z": batch["y"] * 2} for batch in _outputs()]
    actual = [{**batch, "z": batch["y"] * 3} for batch in _outputs()]
    budget = FloatBudget((FLOOR, OutputFloor("z", 1e-6, 4e-6, FLOOR.basis)))
    edge = _compare(tmp_path, expected, actual, budget)
    assert [output.verdict for output in edge.outputs] == [Verdict.PASS, Verdict.FAIL]
    assert edge.verdict is Verdict.FAIL


def test_top1_agreement_counts_samples(tmp_path):
    def swap(batches) -> None:
        row = batches[2]["y"][0]
        row[row.argmax()] = row.min() - 1

    edge = _compare(tmp_path, _outputs(), _changed(swap), QUANTIZED, class_count=6)
    assert edge.top1_agreement == 7 / 8
    assert _compare(tmp_path, _outputs(), _outputs(), class_count=None).top1_agreement is None


def test_a_missing_batch_counts_against_top1(tmp_path):
    assert _compare(tmp_path, _outputs(), _outputs()[:2], class_count=6).top1_agreement == 3 / 8


def test_a_report_survives_json(tmp_path):
    edge = _compare(tmp_path, _outputs(), _changed(lambda b: _set(b, np.nan)), class_count=6)
    assert from_jsonable(EdgeReport, json.loads(json.dumps(to_jsonable(edge), allow_nan=False))) == edge


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(4)), axis=st.sampled_from([1, 2, 3]))
def test_no_permutation_is_accepted(tmp_path_factory, order, axis):
    """Equal sizes on every axis: only the values can tell."""
    cube = np.random.default_rng(0).normal(0, 1, (4, 4, 4, 4)).astype(np.float32)
    permuted = np.ascontiguousarray(np.take(cube, order, axis=axis))
    edge = _compare(tmp_path_factory.mktemp("cube"), [{"y": cube}], [{"y": permuted}])
    assert (edge.verdict is Verdict.PASS) == (list(order) == [0, 1, 2, 3])


@pytest.mark.parametrize("axes", [(0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2)])
def test_no_transposition_is_accepted(tmp_path, axes):
    cube = np.random.default_rng(0).normal(0, 1, (4, 4, 4, 4)).astype(np.float32)
    edge = _compare(tmp_path, [{"y": cube}], [{"y": np.ascontiguousarray(cube.transpose(axes))}])
    assert edge.outputs[0].failure == "over tolerance"


@pytest.mark.parametrize(("gain", "told"), [(1.00002, False), (1.01, True)])
def test_an_error_beyond_all_rounding_is_told_from_one_that_is_merely_too_large(tmp_path, gain, told):
    """1000 roundings can make 6e-5 of the output at most."""
    budget = FloatBudget((OutputFloor("y", 1e-7, 4e-7, FLOOR.basis, roundings=1000),))
    wrong = [{"y": batch["y"] * np.float32(gain)} for batch in _outputs()]
    (output,) = _compare(tmp_path, _outputs(), wrong, budget).outputs
    assert output.failure == "over tolerance"
    assert ("no order of additions explains it" in output.explanation) == told


def test_the_sample_with_the_most_error_is_named(tmp_path):
    (output,) = _compare(tmp_path, _outputs(), _changed(lambda b: _set(b, 7.0, batch=2))).outputs
    assert output.worst_sample == "batch_002.npz[1]"
    assert _compare(tmp_path, _outputs(), _outputs()).outputs[0].worst_sample == ""


def test_zero_everywhere_is_named_so(tmp_path):
    nothing = _changed(lambda b: [batch["y"].fill(0) for batch in b])
    assert "as given, it is zero everywhere" in _compare(tmp_path, _outputs(), nothing).outputs[0].explanation


def test_memory_does_not_grow_with_the_samples(tmp_path):
    """What a comparison keeps of ten times the batches is at most a batch's worth more."""

    def peak(count: int) -> int:
        random = np.random.default_rng(0)
        batches = [{"y": random.normal(0, 1, (4, 20_000)).astype(np.float32)} for _ in range(3)] * (count // 3)
        folder = tmp_path / str(count)
        tracemalloc.start()
        edge = _compare(folder, batches, batches, sample_count=4 * count)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert edge.outputs[0].compared_values == 4 * count * 20_000
        return most

    assert peak(60) - peak(6) < 4 * 20_000 * 4
