"""Node data colours the ops that Model Explorer shows: keyed as it looks them up, and numbers only."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from verification_samples import failing

from verify.report.node_data import IDENTICAL_DB, node_data
from verify.report.verification import NOT_FINITE_DB


@pytest.fixture(scope="module")
def verification(tmp_path_factory):
    return failing(tmp_path_factory.mktemp("failing"))


def results(texts, name):
    """``{key: value}`` of a file, and nothing in it that Model Explorer's ``GraphNodeData`` has not."""
    data = json.loads(texts[name], parse_constant=pytest.fail)
    assert data.keys() == {"results", "thresholds", "hideAggregatedStats", "hideInChildrenStatsTable"}
    limits = [threshold["value"] for threshold in data["thresholds"]]
    assert limits == sorted(limits), "the first limit that is not below a value gives its colour"
    assert limits[-1] >= max(result["value"] for result in data["results"].values())
    return {key: result["value"] for key, result in data["results"].items()}


def with_layers(verification, *layers):
    (where,) = verification.localisations
    return replace(verification, localisations=(replace(where, layers=layers),))


def test_layers_of_a_tflite_file_go_by_their_tensors(verification):
    layers = verification.localisations[0].layers
    texts = node_data(verification)
    assert results(texts, "layers_0_sqnr_db.json") == {
        layer.actual_tensor: IDENTICAL_DB if layer.sqnr_db is None else round(layer.sqnr_db, 2) for layer in layers
    }
    assert len(results(texts, "layers_0_local_sqnr_db.json")) == len(layers)


def test_where_tensors_share_a_name_the_op_goes_by_its_number(verification):
    first, second, third = verification.localisations[0].layers[:3]
    told = with_layers(verification, first, replace(second, actual_tensor=third.actual_tensor), third)
    assert results(node_data(told), "layers_0_sqnr_db.json").keys() == {first.actual_tensor, "1", "2"}


def test_layers_of_an_onnx_file_go_by_their_nodes(verification):
    named = replace(verification, models=tuple(replace(model, format="onnx") for model in verification.models))
    layers = named.localisations[0].layers
    assert results(node_data(named), "layers_0_sqnr_db.json").keys() == {layer.onnx_node for layer in layers}
    unnamed = with_layers(named, *(replace(layer, onnx_node="") for layer in layers[:3]))
    assert results(node_data(unnamed), "layers_0_sqnr_db.json").keys() == {"node", "node_1", "node_2"}


def test_what_is_not_finite_stays_a_number_and_no_error_of_its_own_is_left_out(verification):
    first, second = verification.localisations[0].layers[:2]
    strange = with_layers(verification, replace(first, sqnr_db=-math.inf, local_sqnr_db=None), second)
    texts = node_data(strange)
    assert results(texts, "layers_0_sqnr_db.json")[first.actual_tensor] == NOT_FINITE_DB
    assert first.actual_tensor not in results(texts, "layers_0_local_sqnr_db.json")


def test_models_whose_layers_were_not_compared_have_none(verification):
    assert node_data(replace(verification, localisations=())) == {}
    assert node_data(with_layers(verification)) == {}
    assert node_data(verification, model="net.onnx") == {}
    saved_models = tuple(replace(model, format="saved_model") for model in verification.models)
    assert node_data(replace(verification, models=saved_models)) == {}
    assert len(node_data(verification, model="net_float32.tflite")) == 2
