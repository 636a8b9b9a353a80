"""A fault goes into a copy, in a place that its seed decides, or says why it cannot."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from verify.artifact import sha256_of
from verify.errors import InputError
from verify.faults.inject import fault_kinds, inject
from verify.faults.tflite_model import TfliteModel


def _weights(path) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer}


def test_there_are_more_than_25_kinds_each_with_a_name_of_its_own():
    assert len(fault_kinds()) == len(set(fault_kinds())) >= 50


def test_one_weight_is_nan_and_nothing_else_changes(everything, tmp_path):
    path = everything / "everything.onnx"
    copy = inject(kind="nan_weight", path=path, folder=tmp_path, seed=0).path
    before, after = _weights(path), _weights(copy)
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    assert len(changed) == 1
    assert np.isnan(after[changed[0]]).sum() == 1
    assert (before[changed[0]] != after[changed[0]]).sum() == 1


@pytest.mark.parametrize("name", ["everything.onnx", "everything.tflite"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_place(everything, tmp_path, name):
    path, before = everything / name, sha256_of(everything / name)
    copies = [
        inject(kind="weight_sign", path=path, folder=tmp_path / str(at), seed=seed).path
        for at, seed in enumerate((1, 1, 2))
    ]
    hashes = [sha256_of(copy) for copy in copies]
    assert hashes[0] == hashes[1] != hashes[2]
    assert sha256_of(path) == before


def test_a_fault_that_has_nothing_to_change_says_why(everything, tmp_path):
    refused = inject(kind="nan_weight", path=everything / "everything_int8.tflite", folder=tmp_path, seed=0)
    assert refused.path is None
    assert refused.refusal == "its weights are integers, which hold neither NaN nor infinity"
    assert not list(tmp_path.iterdir())


def test_a_zero_point_is_one_more_on_the_side_that_reads(everything, tmp_path):
    copy = inject(kind="zero_point_plus_one", path=everything / "everything_int8.tflite", folder=tmp_path, seed=0).path
    model = TfliteModel(copy)
    (reread,) = [
        node for node in model.of_kind("RESHAPE") if model.shape(node.inputs[0]) == model.shape(node.outputs[0])
    ]
    (scale, was), (same, now) = (model.quantization(tensor) for tensor in (reread.inputs[0], reread.outputs[0]))
    assert scale == same
    assert abs(now - was) == 1


def test_a_kind_that_is_not_known_is_named_with_those_that_are(everything, tmp_path):
    with pytest.raises(InputError, match="there is no fault 'gremlin'") as refused:
        inject(kind="gremlin", path=everything / "everything.onnx", folder=tmp_path, seed=0)
    assert "nan_weight" in refused.value.fix
