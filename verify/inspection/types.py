"""What a model file is made of, as data: the result of ``verify inspect`` in every format. No framework."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from verify.signature import Dim, TensorSpec

SCHEMA_VERSION = "1"

Scheme = Literal["per tensor", "per axis", "blockwise"]
Role = Literal["input", "output", "inner"]


@dataclass(frozen=True)
class NamedSignature:
    """One way to call a model. ``key`` is its name in the file; empty where the format or the file has none."""

    key: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class OpKind:
    """All ops of one type. ``macs`` is ``None`` where no op of the type has a known number."""

    op: str
    count: int
    parameters: int = 0
    weight_bytes: int = 0
    macs: int | None = None


@dataclass(frozen=True)
class Layer:
    """One op and the weights that it reads first; a weight that several ops share counts for the first alone."""

    subgraph: int
    index: int
    op: str
    name: str
    """Of the first tensor that the op gives, or of the node."""
    modules: tuple[str, ...] = ()
    """PyTorch modules that it comes from, where the conversion or the exporter left them."""
    parameters: int = 0
    weight_bytes: int = 0
    macs: int | None = None


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates of convolutions, matrix products and recurrent ops; elementwise ops have none."""

    total: int
    assumption: str
    """Which sizes they were counted for: ``batch 1``."""
    uncounted: tuple[tuple[str, int], ...] = ()
    """Ops that multiply but whose number is not known, by type: unknown sizes, or no formula for them."""


@dataclass(frozen=True)
class TensorQuantization:
    """How one tensor is quantized: ``real = scale · (stored − zero point)``, with one scale or one a slice of axis."""

    subgraph: int
    index: int
    name: str
    dtype: str
    shape: tuple[Dim, ...]
    constant: bool
    scheme: Scheme
    scales: int
    """How many scales it has."""
    scale_min: float
    scale_max: float
    zero_point_min: int
    zero_point_max: int
    axis: int | None = None


@dataclass(frozen=True)
class FloatIsland:
    """Ops of a quantized file that compute in float and hand tensors to each other."""

    subgraph: int
    ops: tuple[tuple[str, int], ...]
    first: str
    """Name of the first tensor that the island gives."""


@dataclass(frozen=True)
class Quantization:
    """How a file is quantized, tensor by tensor. ``kind`` is ``None`` for a file whose weights are float32."""

    kind: Literal["float16", "dynamic_int8", "int8", "qdq", "integer_ops"] | None
    tensors: tuple[TensorQuantization, ...] = ()
    float_tensors: int = 0
    float_islands: tuple[FloatIsland, ...] = ()


@dataclass(frozen=True)
class DynamicTensor:
    """A tensor with an axis whose size the file leaves open."""

    subgraph: int
    name: str
    shape: tuple[Dim, ...]
    role: Role


@dataclass(frozen=True)
class Subgraph:
    """One graph of a file: the main one, the body of a loop or branch, or a function."""

    name: str
    operators: int
    tensors: int
    inputs: int
    outputs: int


@dataclass(frozen=True)
class GraphNode:
    """A node of a TensorFlow graph as something to feed or to fetch."""

    name: str
    op: str
    dtype: str = ""
    shape: tuple[Dim, ...] | None = None
    """``None`` when the graph does not say."""


@dataclass(frozen=True)
class TensorflowGraph:
    """What a GraphDef holds beside its ops: ``candidate_outputs`` are the nodes that nobody reads."""

    nodes: int
    placeholders: tuple[GraphNode, ...] = ()
    candidate_outputs: tuple[GraphNode, ...] = ()
    variables: int = 0
    functions: int = 0


@dataclass(frozen=True)
class Leaving:
    """Ops of one type that a runtime's list does not take, with why and where."""

    op: str
    count: int
    reason: str
    examples: tuple[str, ...] = ()
    """Names of the first tensors that some of them give."""


@dataclass(frozen=True)
class RuntimeFit:
    """Which ops of a file a runtime takes by its published list. Nothing was run."""

    runtime: str
    name: str
    source: str
    as_of: str
    version: str
    ops: int
    staying: int
    macs_staying: int | None
    """``None`` where the file's multiply-accumulates are not known."""
    pieces: int
    """In how many parts the runtime is handed its share of the main graph; the rest runs on the CPU in between."""
    blockers: tuple[str, ...] = ()
    """What keeps the whole file from the runtime, whatever its ops."""
    leaving: tuple[Leaving, ...] = ()
    unchecked: tuple[str, ...] = ()
    """Conditions of the list on ops of this file that no file can be checked for, or that are not checked here."""
    note: str = ""
    """What else to know of the runtime."""


@dataclass(frozen=True)
class Inspection:
    """What a model file is made of. A field that a format cannot say is empty or ``None``."""

    schema_version: str
    path: str
    format: str
    """``TFLite``, ``ONNX``, ``SavedModel``, ``TensorFlow graph``, or what kind of PyTorch file it is."""
    bytes: int
    summary: tuple[str, ...] = ()
    """The most important of it, one sentence each."""
    signatures: tuple[NamedSignature, ...] = ()
    ops: tuple[OpKind, ...] = ()
    """Most multiply-accumulates first, then most weights, then most frequent."""
    parameters: int | None = None
    weight_bytes: int | None = None
    macs: Macs | None = None
    layers: tuple[Layer, ...] = ()
    """Those with weights, largest first."""
    quantization: Quantization | None = None
    custom_ops: tuple[tuple[str, int], ...] = ()
    flex_ops: tuple[tuple[str, int], ...] = ()
    dynamic_tensors: tuple[DynamicTensor, ...] = ()
    subgraphs: tuple[Subgraph, ...] = ()
    graph: TensorflowGraph | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    runtimes: tuple[RuntimeFit, ...] = ()
    notes: tuple[str, ...] = ()
