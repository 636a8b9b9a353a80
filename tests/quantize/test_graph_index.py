"""The index of tensors that is made in one pass is the quantizer library's own."""

from __future__ import annotations

import pytest
from ai_edge_litert.tools.flatbuffer_utils import read_model
from ai_edge_quantizer.transformation_instruction_generator import TransformationInstructionsGenerator

from quantize.graph_index import IndexedInstructionsGenerator


def index_by(kind, model):
    generator = kind()
    generator.flatbuffer_model = model
    generator._create_tensor_name_to_graph_info_map()
    return generator._tensor_name_to_graph_info


@pytest.mark.parametrize("name", ["mixed", "sine_edges", "tokens"])
def test_it_knows_what_the_library_finds_by_asking_every_operator(name, float_models):
    model = read_model(str(float_models / f"{name}.tflite"))
    twice = model.subgraphs[0].operators[-1]
    twice.inputs = [*twice.inputs, twice.inputs[0]]  # one that takes a tensor two times
    found = index_by(IndexedInstructionsGenerator, model)
    assert len(found) > 5
    assert found == index_by(TransformationInstructionsGenerator, model)
