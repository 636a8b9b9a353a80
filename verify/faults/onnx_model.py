"""An ``.onnx`` file as a :class:`Model`, edited as its protobuf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from verify.faults.model import Array, Model, Node, Step, Tensor, Weight


class OnnxModel(Model):
    """The main graph. Shapes are the file's own, completed by ONNX's shape inference."""

    height_width = (2, 3)

    def __init__(self, path: Path) -> None:
        import onnx

        self._model = onnx.load(str(path))
        self._graph = self._model.graph
        inferred = onnx.shape_inference.infer_shapes(self._model).graph
        known = (*inferred.input, *inferred.value_info, *inferred.output)
        self._types = {value.name: value.type.tensor_type for value in known if value.type.HasField("tensor_type")}
        self._constants = {tensor.name: tensor for tensor in self._graph.initializer}
        for node in self._graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._constants[node.output[0]] = node.attribute[0].t

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of the main graph, in order."""
        return tuple(
            Node(node.op_type, index, tuple(name or None for name in node.input), tuple(node.output), node)
            for index, node in enumerate(self._graph.node)
        )

    @property
    def outputs(self) -> tuple[tuple[str, Tensor], ...]:
        """By their names, which are the tensors' too."""
        return tuple((value.name, value.name) for value in self._graph.output)

    def weights(self) -> tuple[Weight, ...]:
        """Convolutions and matrix products with a constant second operand."""
        return tuple(weight for weight in map(self._weight, self.nodes) if weight is not None)

    def _weight(self, node: Node) -> Weight | None:
        if node.kind not in {"Conv", "ConvTranspose", "Gemm", "MatMul"} or self.constant(node.inputs[1]) is None:
            return None
        tensor = node.inputs[1]
        assert tensor is not None
        rank = len(self._constants[str(tensor)].dims)
        bias = node.inputs[2] if len(node.inputs) > 2 and self.constant(node.inputs[2]) is not None else None
        if node.kind in {"Conv", "ConvTranspose"}:
            spatial = (2, 3) if rank == 4 else None
            outward = int(node.kind == "ConvTranspose")
            return Weight(node, tensor, outward, 1 - outward, spatial, bias)
        if node.kind == "Gemm" and self.attribute(node, "transB"):
            return Weight(node, tensor, 0, 1, bias=bias)
        return Weight(node, tensor, rank - 1, rank - 2, bias=bias) if rank > 1 else None

    def constant(self, tensor: Tensor | None) -> Array | None:
        """Of an initializer or a Constant node."""
        from onnx import numpy_helper

        found = self._constants.get(str(tensor))
        return None if tensor is None or found is None else np.asarray(numpy_helper.to_array(found))

    def set_constant(self, tensor: Tensor, values: Array) -> None:
        """In place: every node that reads it sees it."""
        from onnx import numpy_helper

        self._constants[str(tensor)].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), str(tensor)))

    def shape(self, tensor: Tensor) -> tuple[int, ...] | None:
        """As inferred."""
        found = self._types.get(str(tensor))
        if found is None or not found.HasField("shape"):
            return None
        return tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in found.shape.dim)

    def is_float(self, tensor: Tensor) -> bool:
        """Whether it is known to hold float32."""
        found = self._types.get(str(tensor))
        return found is not None and found.elem_type == 1

    def attribute(self, node: Node, name: str) -> Any:
        """An attribute as written; bytes as text, lists as tuples."""
        import onnx

        for attribute in node.raw.attribute:
            if attribute.name == name:
                value = onnx.helper.get_attribute_value(attribute)
                if isinstance(value, bytes):
                    return value.decode()
                return tuple(value) if isinstance(value, list) else value
        return None

    def set_attribute(self, node: Node, name: str, value: Any) -> None:
        """Replace or add an attribute."""
        import onnx

        kept = [attribute for attribute in node.raw.attribute if attribute.name != name]
        del node.raw.attribute[:]
        node.raw.attribute.extend([*kept, onnx.helper.make_attribute(name, value)])

    def set_kind(self, node: Node, kind: str) -> None:
        """Attributes stay, those that the other operator does not know go."""
        import onnx

        version = next(each.version for each in self._model.opset_import if each.domain in {"", "ai.onnx"})
        known = onnx.defs.get_schema(kind, version, "").attributes
        kept = [attribute for attribute in node.raw.attribute if attribute.name in known]
        del node.raw.attribute[:]
        node.raw.attribute.extend(kept)
        node.raw.op_type = kind

    def bypass(self, node: Node, kept: int = 0) -> None:
        """The node becomes an Identity."""
        source = node.inputs[kept]
        self.set_kind(node, "Identity")
        node.raw.input[:] = [source]
        del node.raw.output[1:]

    def drop_input(self, node: Node, place: int) -> None:
        """An absent input has an empty name; one at the end is left out."""
        names = ["" if at == place else name for at, name in enumerate(node.raw.input)]
        while names and not names[-1]:
            names.pop()
        node.raw.input[:] = names

    def splice(self, tensor: Tensor, step: Step) -> None:
        """New nodes stand right after the one that gives the tensor, or first when it is an input."""
        from verify.faults.onnx_steps import step_nodes

        readers = self.readers(tensor)
        made = f"{tensor}_fault"
        at = next((node.index + 1 for node in self.nodes if tensor in node.outputs), 0)
        for place, node in enumerate(step_nodes(self, str(tensor), made, step)):
            self._graph.node.insert(at + place, node)
        for node in readers:
            node.raw.input[:] = [made if name == tensor else name for name in node.raw.input]

    def append(self, output: str, step: Step) -> None:
        """The tensor gets another name, and the step's result gets the output's."""
        from verify.faults.onnx_steps import step_nodes

        before = f"{output}_before"
        self._types[before] = self._types[output]
        nodes = step_nodes(self, before, output, step)
        for node in self.nodes:
            node.raw.input[:] = [before if name == output else name for name in node.raw.input]
            node.raw.output[:] = [before if name == output else name for name in node.raw.output]
        self._graph.node.extend(nodes)
        self._declare(output, step)

    def _declare(self, output: str, step: Step) -> None:
        import onnx

        tensor = next(value.type.tensor_type for value in self._graph.output if value.name == output)
        if step is Step.CAST:
            tensor.elem_type = onnx.TensorProto.DOUBLE
        if step is Step.EXTRA_AXIS:
            tensor.shape.dim.add().dim_value = 1

    def swap_outputs(self, one: str, other: str) -> None:
        """Every node that gives or reads one of the two means the other."""
        names = {one: other, other: one}
        for node in self.nodes:
            node.raw.input[:] = [names.get(name, name) for name in node.raw.input]
            node.raw.output[:] = [names.get(name, name) for name in node.raw.output]
        first, second = ((value for value in self._graph.output if value.name == name) for name in (one, other))
        declared, theirs = next(first), next(second)
        kept = type(declared.type)()
        kept.CopyFrom(declared.type)
        declared.type.CopyFrom(theirs.type)
        theirs.type.CopyFrom(kept)

    def drop_output(self, name: str) -> None:
        """The node that gives it stays."""
        kept = [value for value in self._graph.output if value.name != name]
        del self._graph.output[:]
        self._graph.output.extend(kept)

    def publish(self, tensor: Tensor, name: str) -> None:
        """Through an Identity, which gives it the name."""
        import onnx

        found = self._types[str(tensor)]
        value = onnx.helper.make_tensor_value_info(name, found.elem_type, None)
        value.type.tensor_type.CopyFrom(found)
        self._graph.node.append(onnx.helper.make_node("Identity", [str(tensor)], [name]))
        self._graph.output.append(value)

    def write(self, path: Path) -> None:
        """Without the shapes of intermediate tensors, which may no longer hold."""
        import onnx

        del self._graph.value_info[:]
        onnx.save(self._model, str(path))

    def new_constant(self, values: Array, name: str) -> str:
        """One more initializer."""
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name
