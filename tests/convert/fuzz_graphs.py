"""Seeded random ONNX graphs of ops that move, cut, join and mix axes, for the lowering's fuzzer.

Sizes are bookkept as integers with the batch at ``BATCH_PRIME``: no other size has that factor, so that a size which
is a multiple of it depends on the batch, and every graph is valid at every batch size.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BATCH_PRIME = 7
_SIZES = (1, 1, 2, 3, 4, 4, 4, 8)
_MOST_ELEMENTS = 20_000

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Known:
    """A value of the graph: its name, and its shape at batch ``BATCH_PRIME``."""

    name: str
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def static_axes(self) -> list[int]:
        return [axis for axis, size in enumerate(self.shape) if size % BATCH_PRIME]


class Unsuitable(Exception):
    """The op drawn does not fit the value drawn."""


class RandomGraph:
    """A graph that grows by one random node at a time."""

    def __init__(self, seed: int, prefix: str = "") -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.values: list[Known] = []
        self._count = 0

    def name(self, kind: str) -> str:
        self._count += 1
        return f"{self.prefix}{kind}{self._count}"

    def input(self) -> None:
        equal = self.random.random() < 0.4
        rank = self.random.choice((2, 3, 3, 4, 4, 4, 5))
        side = self.random.choice((2, 4, 8))
        shape = (BATCH_PRIME, *(side if equal and rank < 5 else self.random.choice(_SIZES) for _ in range(rank - 1)))
        name = self.name("input")
        dims = ["N", *shape[1:]]
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
        self.values.append(Known(name, shape))

    def constant(self, array: object, dtype: type = np.int64) -> str:
        name = self.name("constant")
        self.weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def weight(self, *shape: int) -> str:
        scale = 1 / math.sqrt(max(math.prod(shape[1:]), 1))
        return self.constant(self.numbers.standard_normal(shape) * scale, np.float32)

    def add(self, op: str, *inputs: str, shapes: list[Shape], **attributes: object) -> list[Known]:
        if any(math.prod(shape) > _MOST_ELEMENTS or len(shape) > 6 or 0 in shape for shape in shapes):
            raise Unsuitable
        outputs = [self.name(op.lower()) for _ in shapes]
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"node_{outputs[0]}", **attributes))
        made = [Known(name, tuple(shape)) for name, shape in zip(outputs, shapes, strict=True)]
        self.values += made
        return made

    def pick(self, rank: Callable[[int], bool] = lambda rank: rank > 0) -> Known:
        recent = [value for value in self.values[-4:] if rank(value.rank)]
        usable = recent if recent and self.random.random() < 0.8 else [v for v in self.values if rank(v.rank)]
        if not usable:
            raise Unsuitable
        return self.random.choice(usable)

    def static_axis(self, value: Known) -> int:
        if not value.static_axes:
            raise Unsuitable
        return self.random.choice(value.static_axes)

    def axis(self, value: Known) -> int:
        return self.random.randrange(value.rank)

    def grow(self, count: int) -> None:
        while count:
            operation = self.random.choice(OPERATIONS)
            before = len(self.nodes), len(self.weights), len(self.values)
            try:
                operation(self)
                count -= 1
            except Unsuitable:
                del self.nodes[before[0] :], self.weights[before[1] :], self.values[before[2] :]

    def outputs(self) -> list[Known]:
        """Every value that no node reads, and one that some node does."""
        read = {name for node in self.nodes for name in node.input}
        made = {name for node in self.nodes for name in node.output}
        ends = [value for value in self.values if value.name not in read and value.name in made]
        inner = [value for value in self.values if value.name in read and value.name in made]
        return ends[-4:] + ([self.random.choice(inner)] if inner else [])


def _elsewhere(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _transpose(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank > 1)
    order = g.random.sample(range(x.rank), x.rank)
    g.add("Transpose", x.name, shapes=[tuple(x.shape[axis] for axis in order)], perm=order)


def _reshape_to(g: RandomGraph, x: Known, target: Shape) -> None:
    if sum(size % BATCH_PRIME == 0 for size in target) > 1:
        raise Unsuitable
    written = [-1 if size % BATCH_PRIME == 0 else size for size in target]
    g.add("Reshape", x.name, g.constant(written), shapes=[target])


def _reshape(g: RandomGraph) -> None:
    """The prime factors stay in order and are cut anew, so that axes are merged and split wherever."""
    x = g.pick()
    factors = [prime for size in x.shape for prime in _primes(size, g.random)]
    places = range(1, len(factors))
    cuts = sorted(g.random.sample(places, min(len(places), g.random.randrange(4))))
    target = [math.prod(factors[a:b]) for a, b in itertools.pairwise([0, *cuts, len(factors)])]
    if g.random.random() < 0.3:
        target.insert(g.random.randrange(len(target) + 1), 1)
    _reshape_to(g, x, tuple(target))


def _primes(size: int, source: random.Random) -> list[int]:
    factors = []
    for prime in (2, 3, 5, BATCH_PRIME):
        while size % prime == 0:
            factors.append(prime)
            size //= prime
    source.shuffle(factors)
    return factors + ([size] if size > 1 else [])


def _merge(g: RandomGraph) -> None:
    """Two axes that lie side by side become one: heads, windows, height and width."""
    x = g.pick(lambda rank: rank > 1)
    axis = g.random.randrange(x.rank - 1)
    _reshape_to(g, x, (*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]))


def _split_axis(g: RandomGraph) -> None:
    """One axis becomes two."""
    x = g.pick(lambda rank: rank < 6)
    axis = g.axis(x)
    divisors = [d for d in range(1, x.shape[axis] + 1) if x.shape[axis] % d == 0]
    outer = g.random.choice(divisors)
    _reshape_to(g, x, (*x.shape[:axis], outer, x.shape[axis] // outer, *x.shape[axis + 1 :]))


def _flatten(g: RandomGraph) -> None:
    x = g.pick()
    axis = g.random.randrange(x.rank + 1)
    g.add("Flatten", x.name, shapes=[(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))], axis=axis)


def _squeeze(g: RandomGraph) -> None:
    x = g.pick()
    units = [axis for axis, size in enumerate(x.shape) if size == 1]
    if not units or len(units) == x.rank:
        raise Unsuitable
    gone = g.random.sample(units, g.random.randint(1, len(units)))
    shape = tuple(size for axis, size in enumerate(x.shape) if axis not in gone)
    g.add("Squeeze", x.name, g.constant(gone), shapes=[shape])


def _unsqueeze(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank < 5)
    axis = g.random.randrange(x.rank + 1)
    g.add("Unsqueeze", x.name, g.constant([axis]), shapes=[(*x.shape[:axis], 1, *x.shape[axis:])])


def _broadcast_shape(g: RandomGraph, x: Known) -> Shape:
    kept = [size if size % BATCH_PRIME and g.random.random() < 0.5 else 1 for size in x.shape]
    if g.random.random() < 0.5:
        while kept and kept[0] == 1:
            kept.pop(0)
    return tuple(kept)


def _with_constant(g: RandomGraph) -> None:
    x = g.pick()
    operands = [x.name, g.weight(*_broadcast_shape(g, x))]
    g.random.shuffle(operands)
    g.add(g.random.choice(("Add", "Mul", "Sub", "Max")), *operands, shapes=[x.shape])


def _with_wider_constant(g: RandomGraph) -> None:
    """A constant that makes the value wider, in rank or along an axis of size 1."""
    x = g.pick(lambda rank: rank < 5)
    shape = (g.random.choice((1, 2, 3)), *(3 if size == 1 else 1 for size in x.shape))
    if g.random.random() < 0.6:
        shape = shape[1:]
    wide = tuple(max(a, b) for a, b in zip((1,) * (len(shape) - x.rank) + x.shape, shape, strict=True))
    g.add("Add", x.name, g.weight(*shape), shapes=[wide])


def _with_value(g: RandomGraph) -> None:
    x = g.pick()
    others = [(y, shape) for y in g.values if (shape := _together(x.shape, y.shape)) is not None]
    y, shape = g.random.choice(others)
    g.add(g.random.choice(("Add", "Mul", "Sub")), x.name, y.name, shapes=[shape])


def _together(left: Shape, right: Shape) -> Shape | None:
    rank = max(len(left), len(right))
    pairs = zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True)
    shape = []
    for a, b in pairs:
        if a != b and 1 not in (a, b):
            return None
        shape.append(max(a, b))
    return tuple(shape)


def _gate(g: RandomGraph) -> None:
    """Squeeze-and-excite: times a function of its own mean over some axes."""
    x = g.pick(lambda rank: rank > 1)
    axes = sorted(g.random.sample(range(x.rank), g.random.randint(1, x.rank - 1)))
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    mean = g.add("ReduceMean", x.name, g.constant(axes), shapes=[shape], keepdims=1)[0]
    gate = g.add("Sigmoid", mean.name, shapes=[shape])[0]
    g.add("Mul", x.name, gate.name, shapes=[x.shape])


def _concat(g: RandomGraph) -> None:
    x = g.pick()
    axis = g.axis(x)
    mates = [y for y in g.values if y.rank == x.rank and _elsewhere(y.shape, axis, 0) == _elsewhere(x.shape, axis, 0)]
    if x.shape[axis] % BATCH_PRIME == 0:
        mates = [y for y in mates if y.shape[axis] % BATCH_PRIME == 0]
    else:
        mates = [y for y in mates if y.shape[axis] % BATCH_PRIME]
    parts = [x, *g.random.choices(mates, k=g.random.choice((1, 1, 2)))]
    g.random.shuffle(parts)
    total = sum(part.shape[axis] for part in parts)
    if (total % BATCH_PRIME == 0) != (x.shape[axis] % BATCH_PRIME == 0):
        raise Unsuitable
    g.add("Concat", *(part.name for part in parts), shapes=[_elsewhere(x.shape, axis, total)], axis=axis)


def _split(g: RandomGraph) -> None:
    x = g.pick()
    axis = g.static_axis(x)
    size = x.shape[axis]
    if size < 2:
        raise Unsuitable
    first = g.random.randint(1, size - 1) if g.random.random() < 0.4 or size % 2 else size // 2
    sizes = [first, size - first]
    shapes = [_elsewhere(x.shape, axis, part) for part in sizes]
    g.add("Split", x.name, g.constant(sizes), shapes=shapes, axis=axis)


def _slice(g: RandomGraph) -> None:
    x = g.pick()
    axis = g.static_axis(x)
    size = x.shape[axis]
    start = g.random.randrange(size)
    stop, step = g.random.randint(start + 1, size + 3), g.random.choice((1, 1, 2, 3))
    if g.random.random() < 0.25:
        start, stop, step = size - 1, -(2**63), -g.random.choice((1, 2))
    elif g.random.random() < 0.4:
        stop = 2**63 - 1
    left = len(range(size)[slice(start, None if stop < 0 else stop, step)])
    if left % BATCH_PRIME == 0:
        raise Unsuitable
    bounds = [g.constant([each]) for each in (start, stop, axis - x.rank, step)]
    g.add("Slice", x.name, *bounds, shapes=[_elsewhere(x.shape, axis, left)])


def _reduce(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank > 1)
    axes = g.random.sample(range(x.rank), g.random.randint(1, x.rank - 1))
    keep = g.random.randint(0, 1)
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape) if keep or axis not in axes]
    op = g.random.choice(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2"))
    g.add(op, x.name, g.constant(axes), shapes=[tuple(shape)], keepdims=keep)


def _softmax(g: RandomGraph) -> None:
    x = g.pick()
    g.add(g.random.choice(("Softmax", "LogSoftmax")), x.name, shapes=[x.shape], axis=g.axis(x) - x.rank)


def _arg_max(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank > 1)
    axis, keep = g.axis(x), g.random.randint(0, 1)
    shape = tuple(1 if a == axis else size for a, size in enumerate(x.shape) if keep or a != axis)
    found = g.add("ArgMax", x.name, shapes=[shape], axis=axis, keepdims=keep)[0]
    g.values.remove(found)
    g.add("Cast", found.name, shapes=[shape], to=TensorProto.FLOAT)


def _cum_sum(g: RandomGraph) -> None:
    x = g.pick()
    options = {"exclusive": g.random.randint(0, 1), "reverse": g.random.randint(0, 1)}
    g.add("CumSum", x.name, g.constant(g.axis(x)), shapes=[x.shape], **options)


def _top_k(g: RandomGraph) -> None:
    x = g.pick()
    axis = g.static_axis(x)
    k = g.random.randint(1, x.shape[axis])
    shape = _elsewhere(x.shape, axis, k)
    found = g.add("TopK", x.name, g.constant([k]), shapes=[shape, shape], axis=axis, largest=g.random.randint(0, 1))
    g.values.remove(found[1])


def _linear(g: RandomGraph) -> None:
    x = g.pick()
    if x.shape[-1] % BATCH_PRIME == 0:
        raise Unsuitable
    out = g.random.choice((2, 4, 8))
    stack: Shape = ()
    if x.rank > 2 and g.random.random() < 0.3:
        stack = tuple(size if size % BATCH_PRIME and g.random.random() < 0.5 else 1 for size in x.shape[:-2])
    shape = (*x.shape[:-1], out)
    y = g.add("MatMul", x.name, g.weight(*stack, x.shape[-1], out), shapes=[shape])[0]
    if g.random.random() < 0.5:
        g.add("Add", y.name, g.weight(out), shapes=[shape])


def _constant_times(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank > 1)
    if x.shape[-2] % BATCH_PRIME == 0:
        raise Unsuitable
    g.add("MatMul", g.weight(3, x.shape[-2]), x.name, shapes=[(*x.shape[:-2], 3, x.shape[-1])])


def _attention(g: RandomGraph) -> None:
    """A value times itself transposed, softmax, times itself."""
    x = g.pick(lambda rank: rank > 2)
    order = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
    square = (*x.shape[:-1], x.shape[-2])
    turned = g.add("Transpose", x.name, shapes=[tuple(x.shape[axis] for axis in order)], perm=order)[0]
    scores = g.add("MatMul", x.name, turned.name, shapes=[square])[0]
    weights = g.add("Softmax", scores.name, shapes=[square], axis=-1)[0]
    g.add("MatMul", weights.name, x.name, shapes=[x.shape])


def _product(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank > 1)
    mates = [
        (y, stack)
        for y in g.values
        if y.rank > 1 and y.shape[-2] == x.shape[-1] and (stack := _together(x.shape[:-2], y.shape[:-2])) is not None
    ]
    if not mates:
        raise Unsuitable
    y, stack = g.random.choice(mates)
    g.add("MatMul", x.name, y.name, shapes=[(*stack, x.shape[-2], y.shape[-1])])


def _gemm(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank == 2)
    rows, columns, turned = *x.shape, g.random.randint(0, 1)
    if turned:
        rows, columns = columns, rows
    if columns % BATCH_PRIME == 0:
        raise Unsuitable
    trans_b = g.random.randint(0, 1)
    w = g.weight(5, columns) if trans_b else g.weight(columns, 5)
    g.add("Gemm", x.name, w, g.weight(5), shapes=[(rows, 5)], transA=turned, transB=trans_b, alpha=0.5)


def _einsum(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank == 4)
    if x.shape[1] % BATCH_PRIME == 0:
        raise Unsuitable
    shape = (x.shape[0], x.shape[2], x.shape[3], 4)
    g.add("Einsum", x.name, g.weight(x.shape[1], 4), shapes=[shape], equation="nchw,cd->nhwd")


def _channels(g: RandomGraph, x: Known) -> int:
    if x.shape[1] % BATCH_PRIME == 0:
        raise Unsuitable
    return x.shape[1]


def _conv(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank in (3, 4, 4, 4))
    channels, spatial = _channels(g, x), x.rank - 2
    kernel = g.random.choice((1, 3))
    group = g.random.choice([1, 1, *(d for d in range(1, channels + 1) if channels % d == 0)])
    out = group * g.random.choice((1, 2)) if group > 1 else g.random.choice((1, 3, 4, 8))
    weights = [g.weight(out, channels // group, *[kernel] * spatial), g.weight(out)]
    shape = (x.shape[0], out, *x.shape[2:])
    g.add("Conv", x.name, *weights, shapes=[shape], pads=[kernel // 2] * 2 * spatial, group=group)


def _pool(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank == 4)
    if any(size % BATCH_PRIME == 0 for size in x.shape[2:]):
        raise Unsuitable
    shape = (*x.shape[:2], *((size - 1) // 2 + 1 for size in x.shape[2:]))
    options = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    g.add(g.random.choice(("MaxPool", "AveragePool")), x.name, shapes=[shape], **options)


def _global_pool(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank > 2)
    shape = (*x.shape[:2], *[1] * (x.rank - 2))
    g.add(g.random.choice(("GlobalAveragePool", "GlobalMaxPool")), x.name, shapes=[shape])


def _batch_norm(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank > 1)
    channels = _channels(g, x)
    variance = g.constant(g.numbers.uniform(0.5, 2, channels), np.float32)
    statistics = [*(g.weight(channels) for _ in range(3)), variance]
    g.add("BatchNormalization", x.name, *statistics, shapes=[x.shape])


def _layer_norm(g: RandomGraph) -> None:
    x = g.pick()
    first = g.random.randrange(x.rank)
    trailing = x.shape[first:]
    if math.prod(trailing) == 1 or any(size % BATCH_PRIME == 0 for size in trailing):
        raise Unsuitable
    inputs = [x.name, g.weight(*trailing), g.weight(*trailing)]
    g.add("LayerNormalization", *inputs, shapes=[x.shape], axis=first - x.rank, epsilon=1e-2)


def _group_norm(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank > 2)
    channels = _channels(g, x)
    if g.random.random() < 0.5:
        inputs = [x.name, g.weight(channels), g.weight(channels)]
        g.add("InstanceNormalization", *inputs, shapes=[x.shape], epsilon=1e-2)
        return
    groups = g.random.choice([d for d in range(1, channels + 1) if channels % d == 0])
    inputs = [x.name, g.weight(groups), g.weight(groups)]
    g.add("GroupNormalization", *inputs, shapes=[x.shape], num_groups=groups, epsilon=1e-2)


def _gather(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank > 1)
    axis = g.static_axis(x)
    size = x.shape[axis]
    if g.random.random() < 0.4:
        chosen = g.random.randint(-size, size - 1)
        shape = (*x.shape[:axis], *x.shape[axis + 1 :])
        g.add("Gather", x.name, g.constant(chosen), shapes=[shape], axis=axis)
        return
    indices = [g.random.randint(-size, size - 1) for _ in range(g.random.randint(1, 4))]
    table = np.asarray(indices) if g.random.random() < 0.7 else np.asarray([indices, indices[::-1]])
    shape = (*x.shape[:axis], *table.shape, *x.shape[axis + 1 :])
    g.add("Gather", x.name, g.constant(table), shapes=[shape], axis=axis)


def _pad(g: RandomGraph) -> None:
    x = g.pick()
    axis = g.static_axis(x)
    before, after = g.random.randint(0, 2), g.random.randint(0, 2)
    total = x.shape[axis] + before + after
    mode = g.random.choice(("constant", "edge", "reflect"))
    if total % BATCH_PRIME == 0 or (mode == "reflect" and max(before, after) >= x.shape[axis]):
        raise Unsuitable
    pads = [0] * 2 * x.rank
    pads[axis], pads[axis + x.rank] = before, after
    g.add("Pad", x.name, g.constant(pads), shapes=[_elsewhere(x.shape, axis, total)], mode=mode)


def _resize(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank == 4)
    scales = [1.0, 1.0, float(g.random.choice((1, 2))), float(g.random.choice((1, 2)))]
    if any(size % BATCH_PRIME == 0 for size in x.shape[2:]):
        raise Unsuitable
    shape = tuple(int(size * scale) for size, scale in zip(x.shape, scales, strict=True))
    mode = g.random.choice(("nearest", "linear"))
    options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"} if mode == "nearest" else {}
    g.add("Resize", x.name, "", g.constant(scales, np.float32), shapes=[shape], mode=mode, **options)


def _expand(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank < 5)
    shape = tuple(g.random.choice((1, 3)) if size == 1 else size for size in x.shape)
    written = [1 if size % BATCH_PRIME == 0 else size for size in shape]
    if g.random.random() < 0.4:
        shape, written = (2, *shape), [2, *written]
    g.add("Expand", x.name, g.constant(written), shapes=[shape])


def _tile(g: RandomGraph) -> None:
    x = g.pick()
    repeats = [g.random.choice((1, 1, 2)) for _ in x.shape]
    shape = tuple(size * count for size, count in zip(x.shape, repeats, strict=True))
    g.add("Tile", x.name, g.constant(repeats), shapes=[shape])


def _depth_to_space(g: RandomGraph) -> None:
    x = g.pick(lambda rank: rank == 4)
    n, c, h, w = x.shape
    if c % BATCH_PRIME == 0 or c % 4:
        raise Unsuitable
    shape = (n, c // 4, h * 2, w * 2)
    g.add("DepthToSpace", x.name, shapes=[shape], blocksize=2, mode=g.random.choice(("DCR", "CRD")))


def _activation(g: RandomGraph) -> None:
    x = g.pick()
    op = g.random.choice(("Relu", "Sigmoid", "HardSwish", "Gelu", "Tanh", "PRelu", "Clip"))
    others = []
    if op == "PRelu":
        others = [g.weight(*_broadcast_shape(g, x))]
    if op == "Clip":
        others = [g.constant(low, np.float32) for low in (g.random.choice((-1, 0)), g.random.choice((1, 6)))]
    g.add(op, x.name, *others, shapes=[x.shape])


def _where(g: RandomGraph) -> None:
    x = g.pick()
    mask = g.constant(g.numbers.random(_broadcast_shape(g, x)) < 0.5, np.bool_)
    g.add("Where", mask, x.name, g.weight(*_broadcast_shape(g, x)), shapes=[x.shape])


def _shuffle(g: RandomGraph) -> None:
    """Channel shuffle: split an axis in two, swap the halves, merge them."""
    x = g.pick(lambda rank: rank < 5)
    axis = g.static_axis(x)
    divisors = [d for d in range(2, x.shape[axis]) if x.shape[axis] % d == 0]
    if not divisors:
        raise Unsuitable
    outer = g.random.choice(divisors)
    cut = (*x.shape[:axis], outer, x.shape[axis] // outer, *x.shape[axis + 1 :])
    _reshape_to(g, x, cut)
    order = list(range(len(cut)))
    order[axis], order[axis + 1] = axis + 1, axis
    turned = g.add("Transpose", g.values[-1].name, shapes=[tuple(cut[a] for a in order)], perm=order)[0]
    _reshape_to(g, turned, x.shape)


OPERATIONS: tuple[Callable[[RandomGraph], None], ...] = (
    _transpose, _transpose, _transpose, _reshape, _reshape, _merge, _merge, _split_axis, _split_axis, _shuffle,
    _flatten, _squeeze, _unsqueeze, _with_constant, _with_constant, _with_wider_constant, _with_value, _with_value,
    _gate, _concat, _concat, _split, _slice, _reduce, _softmax, _arg_max, _cum_sum, _top_k, _linear, _linear,
    _constant_times, _attention, _product, _gemm, _einsum, _conv, _conv, _conv, _pool, _global_pool, _batch_norm,
    _layer_norm, _group_norm, _gather, _pad, _resize, _expand, _tile, _depth_to_space, _activation, _where,
)  # fmt: skip


def random_model(seed: int, nodes: int = 12) -> onnx.ModelProto:
    """The graph of that seed: float inputs, a dynamic batch, several outputs."""
    g = RandomGraph(seed)
    for _ in range(g.random.choice((1, 1, 2))):
        g.input()
    g.grow(nodes)
    outputs = [
        helper.make_tensor_value_info(
            value.name, TensorProto.FLOAT, [None if size % BATCH_PRIME == 0 else size for size in value.shape]
        )
        for value in g.outputs()
    ]
    graph = helper.make_graph(g.nodes, f"seed_{seed}", g.inputs, outputs, g.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
