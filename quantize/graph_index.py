"""Who makes and who reads each tensor of a subgraph, found in one pass over its operators.

ai-edge-quantizer asks that of every tensor by going through all operators: half a minute for each of the files that
are tried for RAFT, with 5,100 operators and 7,000 tensors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ai_edge_quantizer.transformation_instruction_generator import TransformationInstructionsGenerator
from ai_edge_quantizer.utils.tfl_flatbuffer_utils import get_tensor_name

from quantize.kernels import FIXED_BY_LIBRARY, KERNELS, ScaleConstraint
from quantize.static_parameters import library_name


class IndexedInstructionsGenerator(TransformationInstructionsGenerator):  # type: ignore[misc]  # the library has no types
    """The library's own, with its index of tensors made in one pass; a test compares the two."""

    def _tensor_info_generator(self, subgraph_id: int, subgraph: Any) -> Iterator[tuple[str, Any]]:
        """Consumers are listed once an input that they take, the graph's outputs first, as -1."""
        producers: dict[int, int] = {}
        consumers: defaultdict[int, list[int]] = defaultdict(list)
        for at in {int(output) for output in subgraph.outputs}:
            consumers[at].append(-1)
        for number, operator in enumerate(subgraph.operators):
            for at in operator.inputs:
                consumers[int(at)].append(number)
            for at in operator.outputs:
                producers.setdefault(int(at), number)
        for at, tensor in enumerate(subgraph.tensors):
            info = self.TensorGraphInfo(at, subgraph_id, producers.get(at, -1), consumers[at])
            yield get_tensor_name(tensor), info

    def _is_op_constrained(self, subgraph_id: int, op_index: int) -> bool:
        """Whether an op's results cannot be stored in whatever scale their one reader wants.

        The library forgets those with a fixed scale, and does not know ours: a sigmoid before a concatenation came out
        at the concatenation's scale, on which LiteRT refuses the file.
        """
        operator = self.flatbuffer_model.subgraphs[subgraph_id].operators[op_index]
        name = library_name(int(self.flatbuffer_model.operatorCodes[operator.opcodeIndex].builtinCode))
        if name in KERNELS:
            return KERNELS[name].constraint is not ScaleConstraint.NONE
        if name in FIXED_BY_LIBRARY:
            return True
        return name in {*self._same_as_input_scale_ops, *self._same_as_output_scale_ops}
