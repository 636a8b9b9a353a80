"""The ops of a SavedModel, run one at a time by TensorFlow: its signature its variables frozen, cut at any tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from verify.errors import ModelUnreadable, OpNotRunnable
from verify.localise.graph import Graph, Op
from verify.localise.onnx_source import sources_beside
from verify.localise.steps import Values, stacked
from verify.localise.why import Details
from verify.modules import modules_in
from verify.runners.saved_model_runner import load_signature

_MULTIPLYING = frozenset(
    {"Conv2D", "DepthwiseConv2dNative", "Conv3D", "Conv2DBackpropInput", "MatMul", "BatchMatMulV2", "Einsum"}
)


class SavedModelSteps:
    """See :class:`verify.localise.steps.Steps`. Tensors go by TensorFlow's names: ``Conv2D_3:0``."""

    fuses_activations = False
    suffix = ".pb"

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        self._loaded, function = load_signature(path)
        frozen = _frozen(path, function)
        self._session = tf.compat.v1.Session(graph=frozen.graph)
        self._session_graph = frozen.graph
        self._graph = _read(frozen, function, path)

    @property
    def graph(self) -> Graph:
        return self._graph

    def run(self, op: Op, feeds: Mapping[str, Values]) -> dict[str, Values]:
        import tensorflow as tf

        count = max((len(values) for values in feeds.values()), default=1)
        try:
            found = [
                self._session.run(list(op.outputs), {name: values[at, ...] for name, values in feeds.items()})
                for at in range(count)
            ]
            return dict(zip(op.outputs, stacked(found), strict=True))
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise OpNotRunnable(f"TensorFlow cannot run op {op.index} ({op.kind}) by itself: {error}") from error

    def real(self, tensor: str, stored: Values) -> Values:  # noqa: ARG002 - Steps has it
        return stored

    def stored(self, tensor: str, real: Values) -> Values:  # noqa: ARG002
        return real

    def levels(self, tensor: str) -> None:  # noqa: ARG002
        return None

    def run_plainly(self, op: Op, feeds: Mapping[str, Values]) -> dict[str, Values]:
        return self.run(op, feeds)

    def weights(self, op: Op) -> None:  # noqa: ARG002
        return None

    def details(self, op: Op) -> Details:  # noqa: ARG002 - its options are TensorFlow's own, of no other file
        return Details("SavedModel")

    def extract(self, ops: Sequence[Op], inputs: Mapping[str, Any], output: str, out: Path) -> None:  # noqa: ARG002
        """As a frozen ``GraphDef``: placeholders ``input_0`` … and ``output``."""
        import tensorflow as tf

        with tf.Graph().as_default() as part:
            fed = {
                name: tf.compat.v1.placeholder(tf.dtypes.as_dtype(dtype), name=f"input_{at}")
                for at, (name, dtype) in enumerate(inputs.items())
            }
            definition = self._session_graph.as_graph_def()
            for node in definition.node:  # of what runs before, only the values that are fed count
                node.input[:] = [each for each in node.input if not each.startswith("^")]
            (given,) = tf.import_graph_def(definition, input_map=fed, return_elements=[output], name="model")
            tf.identity(given, name="output")
        names = [*(f"input_{at}" for at in range(len(inputs))), "output"]
        cut = tf.compat.v1.graph_util.extract_sub_graph(part.as_graph_def(), names)
        out.write_bytes(cut.SerializeToString())


def _frozen(path: Path, function: Any) -> Any:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    try:
        return convert_variables_to_constants_v2(function, lower_control_flow=False)
    except Exception as error:  # TensorFlow raises anything, from ValueError to its own errors
        raise ModelUnreadable(
            f"TensorFlow cannot freeze the variables of {path.name}: {error}",
            fix="compare layers with the ONNX or TFLite file of that model",
        ) from error


def _read(frozen: Any, function: Any, path: Path) -> Graph:
    """``function`` is the signature, which knows the names."""
    modules, sources = modules_in(path), sources_beside(path)
    by_argument = {tensor.op.name: tensor for tensor in frozen.inputs}
    inputs = {name: by_argument[name].name for name in function.structured_input_signature[1] if name in by_argument}
    computed = set(inputs.values())
    ops: list[Op] = []
    for operation in _in_order(frozen.graph.get_operations()):
        read = tuple(dict.fromkeys(tensor.name for tensor in operation.inputs if tensor.name in computed))
        if not read:
            continue
        results = tuple(tensor.name for tensor in operation.outputs)
        computed.update(results)
        module = modules.ops.get(operation.name) or modules.ops.get(operation.name.partition("/")[2], "")
        ops.append(
            Op(
                index=len(ops),
                kind=operation.type,
                inputs=read,
                outputs=results,
                name=operation.name,
                module=module,
                source=sources.get(module, "") if module else "",
                weighted=operation.type in _MULTIPLYING and len(read) < len(operation.inputs),
            )
        )
    given = zip(sorted(function.structured_outputs), frozen.outputs, strict=True)  # flattened in order of their names
    outputs = {name: tensor.name for name, tensor in given}
    return Graph(tuple(op for op in ops if op.outputs), inputs, outputs)


def _in_order(operations: Sequence[Any]) -> list[Any]:
    """Each after those that it reads."""
    by_name = {each.name: each for each in operations}
    sorter = TopologicalSorter({each.name: [tensor.op.name for tensor in each.inputs] for each in operations})
    return [by_name[name] for name in sorter.static_order()]
