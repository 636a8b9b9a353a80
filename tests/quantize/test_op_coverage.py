"""Each op that LiteRT has an int8 kernel for, as a file of its own; first those that the library has no rule for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quantize.jobs import make_int8, remake_int8
from quantize.kernels import KERNELS
from quantize.recipe import IoType, Precision, write_recipe
from quantize.scheme import Scheme
from verify.batches import write_batch
from verify.runners.tflite_file import tflite_signature
from verify.runners.tflite_inspect import float_op_counts, op_counts
from verify.runners.tflite_runner import TfliteRunner

SCRIPT = Path(__file__).parent / "make_op_models.py"
OPS = re.findall(r'^    "(\w+)": ', SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)

LEAST_16X8_DB = 40
"""Weights are int8 there too; without any it is 80."""

ADDED = OPS[: OPS.index("ADD")]
"""Those that the library leaves in float."""

LOST_DB_AN_OP = 1.5
"""Against the float file on the stored input, its result stored: what int8 can be at best. Each op rounds once more."""


def sqnr_db(expected: np.ndarray, actual: np.ndarray) -> float:
    noise = ((expected.astype(np.float64) - actual) ** 2).sum()
    return float(10 * np.log10((expected.astype(np.float64) ** 2).sum() / max(noise, 1e-12)))


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 6, 8, 4)).astype(np.float32)


def run_stored(path: Path, x: np.ndarray, *, default_delegate: bool = True) -> np.ndarray:
    with TfliteRunner(path, tflite_signature(path, {}), default_delegate=default_delegate) as runner:
        return runner.infer({"x": x})["y"]


@pytest.fixture(scope="module")
def op_models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("op_models")
    subprocess.run([sys.executable, SCRIPT, folder], check=True, capture_output=True)
    write_batch(folder / "x.npz", {"x": images(24, 1)})
    return folder


@pytest.fixture(scope="module")
def static_op(op_models, worker):
    """``static_op("NEG")`` → the quantized file and its result, made once."""
    made = {}

    def make(op: str, activations: Precision = Precision.INT8):
        if (op, activations) not in made:
            source, out = op_models / f"{op}.tflite", op_models / f"{op}_{activations}.tflite"
            job = worker.run(
                make_int8,
                model=source,
                out=out,
                calibration=op_models / "x.npz",
                signature=tflite_signature(source, {}),
                io=IoType.INT8 if activations is Precision.INT8 else IoType.INT16,
                max_samples=128,
                corrections="none",
                scheme=Scheme(activations),
            )
            made[op, activations] = out, job.value
        return made[op, activations]

    return make


def compare_runs(model: Path, quantized: Path) -> dict[str, object]:
    """In a worker: the static file at 1, 2 and 5 with the default delegate and without, and the float file."""
    own = tflite_signature(quantized, {})
    x = images(24, 1)[:10]
    stored = own.input("x").from_torch(x)
    with_it, without = (run_stored(quantized, stored, default_delegate=delegate) for delegate in (True, False))
    expected, at_best = run_stored(model, x), run_stored(model, own.input("x").to_torch(stored))
    y = own.output("y")
    return {
        "apart": int(np.abs(with_it.astype(np.int64) - without).max()),
        "sqnr_db": sqnr_db(expected, y.to_torch(with_it)),
        "best_db": sqnr_db(expected, y.to_torch(y.from_torch(at_best))),
        "rows": [len(run_stored(quantized, stored[:batch])) / batch for batch in (1, 2, 5)],
        "ops": sum(count for _, count in op_counts(model)),
        "rows_each": len(expected) / 10,
    }


@pytest.mark.parametrize("op", OPS)
def test_an_op_gives_what_int8_can_at_every_batch_size_with_and_without_the_delegate(op, static_op, op_models, worker):
    path, result = static_op(op)
    assert result.float_ops == ()
    assert float_op_counts(path) == ()
    found = worker.run(compare_runs, model=op_models / f"{op}.tflite", quantized=path).value
    assert found["rows"] == [found["rows_each"]] * 3
    assert found["apart"] <= 1
    assert found["sqnr_db"] >= min(found["best_db"] - LOST_DB_AN_OP * found["ops"], 60)


@pytest.mark.parametrize(
    "op",
    [
        pytest.param(op, marks=() if op in {"SUM", "LESS", "MAXIMUM", "ELU", "PRELU"} else pytest.mark.slow)
        for op in OPS
        if not op.startswith("ARG_")
    ],
)
def test_an_op_in_a_16x8_file_is_far_nearer_or_stays_in_float(op, static_op, op_models, worker):
    """LiteRT's int16 kernels of SUM, PRELU and of comparisons run and are wrong: 4, 10 and 0 dB."""
    path, _ = static_op(op, Precision.INT16)
    found = worker.run(compare_runs, model=op_models / f"{op}.tflite", quantized=path).value
    assert found["rows"] == [found["rows_each"]] * 3
    assert found["apart"] <= 1
    assert found["sqnr_db"] > LEAST_16X8_DB


def test_each_file_has_the_op_it_is_named_after(op_models):
    renamed = {"RELU_0_TO_1": "MINIMUM", "DIV_CONSTANT": "MUL", "SQUEEZE": "RESHAPE", "RELU6_ALONE": "RELU6"}
    renamed |= {"NEG_OF_POSITIVE": "NEG", "LOGISTIC_IN_CONCATENATION": "LOGISTIC", "RELU6": "ADD"}
    found = {op: dict(op_counts(op_models / f"{op}.tflite")) for op in OPS}
    assert {op: counts for op, counts in found.items() if renamed.get(op, op) not in counts} == {}


@pytest.mark.parametrize("op", ["NEG", "ADD_N"])
def test_a_recipe_remakes_a_file_whose_ops_were_rewritten(op, static_op, op_models, worker, tmp_path):
    path, result = static_op(op)
    write_recipe(tmp_path / "recipe.json", result.recipe)
    again = tmp_path / "again.tflite"
    worker.run(remake_int8, model=op_models / f"{op}.tflite", out=again, recipe=tmp_path / "recipe.json")
    assert again.read_bytes() == path.read_bytes()


def test_the_library_alone_leaves_in_float_what_is_listed_as_added():
    from ai_edge_quantizer.qtyping import TFLOperationName

    known = {each.value for each in TFLOperationName}
    assert not {op for op in ADDED if op in KERNELS} & known
    assert not set(KERNELS) & known
