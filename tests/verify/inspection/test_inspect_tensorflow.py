"""What a frozen graph and a SavedModel are said to hold, without TensorFlow."""

from __future__ import annotations

import shutil
import sys

import pytest

from verify.errors import ModelUnreadable
from verify.inspection.opening import read_model

LEARNT = 3 * 3 * 3 * 32 + 10 * 32 + 32 * 40


def test_a_frozen_graph_says_what_to_feed_and_what_to_fetch(tf_files):
    graph = read_model(tf_files / "frozen.pb").graph
    assert [(node.name, node.dtype, node.shape) for node in graph.placeholders] == [
        ("image", "float32", ("N", 8, 8, 3))
    ]
    assert {node.name for node in graph.candidate_outputs} == {"pooled", "peaks"}


def test_a_frozen_graph_counts_its_constants_as_parameters(tf_files):
    found = read_model(tf_files / "frozen.pb")
    assert (found.parameters, found.weight_bytes) == (216, 864)
    assert {kind.op: kind.count for kind in found.ops}["Conv2D"] == 1


def test_a_saved_model_says_its_signature(tf_models):
    (signature,) = read_model(tf_models / "net_saved_model").signatures
    assert signature.key == "serving_default"
    assert {(spec.name, spec.dtype, spec.shape) for spec in signature.inputs} == {
        ("image", "float32", ("N", 8, 6, 3)),
        ("token", "int32", ("N",)),
    }
    assert {spec.name for spec in signature.outputs} == {"features", "logits"}


def test_a_saved_model_counts_its_variables_and_not_what_saves_them(tf_models):
    found = read_model(tf_models / "net_saved_model")
    assert (found.parameters, found.graph.variables) == (LEARNT, 3)
    assert not {"SaveV2", "RestoreV2"} & {kind.op for kind in found.ops}
    assert {node.name for node in found.graph.placeholders} == {"serving_default_image", "serving_default_token"}


def test_neither_imports_tensorflow(tf_files, tf_models):
    read_model(tf_files / "frozen.pb")
    read_model(tf_models / "net_saved_model")
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7])
def test_a_truncated_saved_model_is_unreadable(tf_models, tmp_path, share):
    folder = tmp_path / "cut_saved_model"
    shutil.copytree(tf_models / "net_saved_model", folder)
    whole = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelUnreadable):
        read_model(folder)


@pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"not a graph at all", b"\x0a\xff\xff\xff\xff\x0f"])
def test_what_is_no_graph_is_unreadable(tmp_path, data):
    (tmp_path / "model.pb").write_bytes(data)
    with pytest.raises(ModelUnreadable):
        read_model(tmp_path / "model.pb")
