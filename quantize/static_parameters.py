"""Scale, zero point and stored values of every tensor of a static file: the library's steps, an op at a time.

The library chooses a rule by a regular expression over tensor names and knows its own ops only. Here each operator is
asked for by name and outputs, and ops of :data:`quantize.kernels.KERNELS` go through the
library's own materializer with their kernel's constraint. For the library's ops the numbers are the library's (a test
compares files byte for byte).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_quantizer import algorithm_manager, default_policy, qtyping
from ai_edge_quantizer.algorithms.uniform_quantize.naive_min_max_quantize import get_tensor_quant_params
from ai_edge_quantizer.algorithms.utils import common_utils
from ai_edge_quantizer.params_generator import ParamsGenerator
from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffer

from quantize.kernels import KERNELS, ScaleConstraint, Stored

Parameters = dict[str, Any]
ConfigOf = Callable[[str, tuple[str, ...]], Any | None]
"""An op's library name (``INPUT``, ``OUTPUT`` among them) and its outputs' names → its config; ``None`` for float."""

_CONSTRAINTS = {
    ScaleConstraint.NONE: common_utils.OpQuantConstraint.NO_CONSTRAIN,
    ScaleConstraint.AS_INPUT: common_utils.OpQuantConstraint.SAME_AS_INPUT_SCALE,
    ScaleConstraint.AS_OUTPUT: common_utils.OpQuantConstraint.SAME_AS_OUTPUT_SCALE,
}


class StaticParameters(ParamsGenerator):  # type: ignore[misc]  # the library has no types
    """The library's generator, each operator's config asked of ``config_of``."""

    def __init__(self, unpacked: Any) -> None:
        """Of an unpacked model, which stays as it is: the library would unpack one of its own."""
        self.flatbuffer_model = unpacked
        self._check_tensor_names_are_unique()
        self.buffer_to_tensors = flatbuffer.buffer_to_tensors(unpacked)
        self.model_quant_results: Parameters = {}

    def generate(self, config_of: ConfigOf, ranges: dict[str, Any], main: int = 0) -> Parameters:
        """What becomes of each tensor, by name. ``ranges`` is ``{tensor: {min, max}}`` and is changed on the way.

        Subgraphs but ``main``, the bodies of loops, stay as they are: LiteRT shows no values from in there.
        """
        for number, graph in enumerate(self.flatbuffer_model.subgraphs):
            info = qtyping.GraphInfo(graph.tensors, self.flatbuffer_model.buffers)
            edges = flatbuffer.get_subgraph_input_output_operators(graph)
            for at, operator in enumerate([*graph.operators, *edges]):
                name = self._name(operator)
                outputs = tuple(graph.tensors[index].name.decode() for index in operator.outputs if index != -1)
                config = config_of(name, outputs) if number == main else None
                if default_policy.is_non_quantizable_composite_op(operator) or _is_other_cast(name, operator, graph):
                    config = None
                at_in_graph = -1 if isinstance(operator, qtyping.IOOperator) else at
                if config is None:
                    self._update_model_quant_results(
                        self._get_params_for_no_quant_op(at_in_graph, operator, graph.tensors)
                    )
                else:
                    op = qtyping.OpInfo(operator, _library_name(name), at_in_graph, config)
                    self._update_model_quant_results(_materialized(name, op, info, ranges))
        self._post_process_results()
        results: Parameters = self.model_quant_results
        return results

    def _name(self, operator: Any) -> str:
        if isinstance(operator, qtyping.IOOperator):
            return str(operator.op_key.value)
        return library_name(int(self.flatbuffer_model.operatorCodes[operator.opcodeIndex].builtinCode))


def _is_other_cast(name: str, operator: Any, graph: Any) -> bool:
    """Whether it is a CAST of anything but booleans to floats."""
    from ai_edge_litert.schema_py_generated import TensorType

    types = [graph.tensors[at].type for at in (*operator.inputs, *operator.outputs)]
    return name == "CAST" and types != [TensorType.BOOL, TensorType.FLOAT32]


def library_name(code: int) -> str:
    """The library's name of a builtin op; TFLite's own where it has none."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    known = flatbuffer.TFL_OP_CODE_TO_NAME.get(code)
    if known is not None:
        return str(known.value)
    return next((name for name, value in vars(BuiltinOperator).items() if value == code), f"BUILTIN_{code}")


def _library_name(name: str) -> Any:
    return name if name in KERNELS else qtyping.TFLOperationName(name)


def _materialized(name: str, op: Any, info: Any, ranges: dict[str, Any]) -> list[Any]:
    if name not in KERNELS:
        algorithm = algorithm_manager.AlgorithmName.MIN_MAX_UNIFORM_QUANT
        materialize = algorithm_manager.get_quantization_func(algorithm, op.op_name, qtyping.QuantizeMode.MATERIALIZE)
        return list(materialize(op, info, ranges))
    kernel = KERNELS[name]
    if kernel.output is not None:
        return list(
            common_utils.materialize_op_with_output_activation_constraint(
                op, info, ranges, {8: _stored(kernel.output)}, get_tensor_quant_params
            )
        )
    return list(
        common_utils.materialize_standard_op(op, info, ranges, get_tensor_quant_params, _CONSTRAINTS[kernel.constraint])
    )


def _stored(output: Stored) -> Any:
    return qtyping.UniformQuantParams(
        num_bits=8,
        quantized_dimension=None,
        scale=np.array(output.scale),
        zero_point=np.array(output.zero_point),
        symmetric=False,
    )
